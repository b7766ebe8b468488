"""Reads what a commit holds that claims to be of a step, so that the claim is compared with what was announced.

Anybody who may push may write such a claim; what a commit holds can be compared with what the ledger knows.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from changewindow.systems.git.history import Commit
from changewindow.systems.git.mirror import Mirror
from changewindow.systems.git.trees import File
from changewindow.systems.measurement import SourceError

FILES = 20
"""How many files of a commit are compared."""
LARGEST = 1 << 20
"""Bytes of a file that is compared."""
CHANGED = re.compile(r":(\d{6}) (\d{6}) ([0-9a-f]{40,64}) ([0-9a-f]{40,64}) [AMD]\0([^\0]+)\0")
REGULAR, ABSENT = "100644", "000000"
REVERTED = re.compile(r"^This reverts commit ([0-9a-f]{40,64})\.$", re.MULTILINE)
NOBODY = ("-c", "user.name=-", "-c", "user.email=-")
"""Commits that are made to merge something stay in the mirror, and on no branch."""


@dataclass(frozen=True)
class CommitContent:
    """What a commit holds, beside what was there before it."""

    steps: frozenset[str]
    """The steps that it names: `CHG-1042/1`."""
    merged: str = ""
    """The commit that it merges; it holds what this merge makes, and nothing else."""
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    """The text of each file that it changes, before and after; a merge has none."""
    reverted: str = ""
    """The commit that it takes back as a whole, and nothing else."""
    reverts: "CommitContent | None" = None
    """What is in that one, if that can be compared."""


async def content_of(mirror: Mirror, commit: Commit, deep: int = 1) -> CommitContent | None:
    """Return what a commit holds, or None where that cannot be compared; `deep` is how many reverts of reverts are."""
    with suppress(SourceError):
        body = (await mirror.git("log", "--max-count=1", "--format=%b", commit.id, "--")).decode(errors="replace")
        if match := REVERTED.search(body):
            return await _revert(mirror, commit, match[1], deep)
        return await _forward(mirror, commit)
    return None


async def brought_by(mirror: Mirror, merge: Commit, most: int) -> list[str]:
    """Return the commits that came with a merge."""
    chosen = f"{merge.parent}..{merge.id}"
    return (await mirror.git("rev-list", f"--max-count={most}", chosen, "--")).decode().split()


async def _forward(mirror: Mirror, commit: Commit) -> CommitContent | None:
    steps = frozenset(commit.steps.split())
    if len(commit.parents) == 1:
        files = await _files(mirror, commit)
        return None if files is None else CommitContent(steps, files=files)
    if len(commit.parents) == 2:
        is_clean = await _tree(mirror, commit.id) == await _combined(mirror, *commit.parents)
        return CommitContent(steps, commit.parents[1]) if is_clean else None
    return None


async def _revert(mirror: Mirror, commit: Commit, reverted: str, deep: int) -> CommitContent | None:
    """Return what a commit has taken back; None if it has done anything else."""
    [made] = await mirror.log(reverted, 1)
    base = await _made(mirror, made.id)
    ours, theirs = await _made(mirror, commit.parent, base), await _made(mirror, made.parent, base)
    is_clean = len(commit.parents) == 1 and await _tree(mirror, commit.id) == await _combined(mirror, ours, theirs)
    if not is_clean:
        return None
    content = await content_of(mirror, made, deep - 1) if deep else None
    return CommitContent(frozenset(commit.steps.split()), reverted=made.id, reverts=content)


async def _files(mirror: Mirror, commit: Commit) -> dict[str, tuple[str, str]] | None:
    how = ("diff-tree", "-r", "-z", "--no-renames", "--no-commit-id", commit.parent, commit.id, "--")
    printed = (await mirror.git(*how)).decode(errors="surrogateescape")
    changed = CHANGED.findall(printed)
    if len(changed) > FILES or len(changed) != printed.count("\0") // 2:
        return None
    files = {}
    for mode, new_mode, blob, new_blob, path in changed:
        if new_mode != (REGULAR if mode == ABSENT else mode):
            return None
        texts = "" if mode == ABSENT else await _text(mirror, blob), await _text(mirror, new_blob)
        files[str(PurePosixPath(path))] = texts
    return files


async def _text(mirror: Mirror, blob: str) -> str:
    if int(await mirror.git("cat-file", "-s", blob)) > LARGEST:
        raise SourceError("invalid", f"the file is larger than {LARGEST} bytes")
    file = File(REGULAR, await mirror.git("cat-file", "blob", blob))
    return (file.content or b"").removeprefix(file.mark).decode(file.encoding, errors="replace")


async def _tree(mirror: Mirror, commit: str) -> str:
    return (await mirror.git("rev-parse", f"{commit}^{{tree}}")).decode().strip()


async def _combined(mirror: Mirror, ours: str, theirs: str) -> str:
    """Return the tree of a merge; a conflict is an error of git."""
    return (await mirror.git("merge-tree", "--write-tree", "--no-messages", ours, theirs)).decode().strip()


async def _made(mirror: Mirror, commit: str, *parents: str) -> str:
    """Make a commit with the content of another one, on top of others, so that a merge takes those as its base."""
    named = [part for parent in parents for part in ("-p", parent)]
    return (await mirror.git(*NOBODY, "commit-tree", *named, "-m", "-", f"{commit}^{{tree}}")).decode().strip()
