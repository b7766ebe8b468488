"""Reads commits with their files, as `git log` prints them."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

FILES = 20
"""How many files of a commit are named."""
STEPS = "%(trailers:key=Change-Step,key=Reverts-Step,valueonly,separator=%x20)"
FIELDS = f"%H%x00%P%x00%ct%x00%an <%ae>%x00%cn <%ce>%x00%s%x00{STEPS}%x00"
BEGIN = re.compile(r"\x1e(?=[0-9a-f]{40,64}\x00[0-9a-f ]*\x00[0-9]+\x00)")
"""How a commit begins: the sign alone may stand in a subject too, and would hide the commit."""
NOT_VERIFIED = "git author, not verified"
"""How it is known who made a commit."""


@dataclass(frozen=True)
class Commit:
    """A commit: what whoever made it has claimed, and its files."""

    id: str
    parents: tuple[str, ...]
    committed: datetime
    author: str
    committer: str
    subject: str
    steps: str
    """The steps of our changes that it names: `CHG-1042/1`; anybody may have written that."""
    files: str
    """`pool.yaml +1 -1, README.md +2 -0`."""

    @property
    def parent(self) -> str:
        """Return where the branch was before it; empty for the first commit of all."""
        return self.parents[0] if self.parents else ""

    @property
    def by(self) -> str:
        """Return its author, and who committed it if that is somebody else."""
        return self.author if self.author == self.committer else f"{self.author}, committed by {self.committer}"

    @property
    def text(self) -> str:
        """Return what it is about and which files it changes."""
        named = f" ({self.steps})" if self.steps else ""
        return f"{self.subject[:200]}{named}; {self.files or 'no files'}"


def log_arguments(commits: str, most: int) -> tuple[str, ...]:
    """Return the arguments of `git` that print the newest of some commits; see `commits`."""
    return (
        *("-c", "core.quotePath=false", "log", f"--max-count={most}", f"--format=%x1e{FIELDS}"),
        *("--numstat", "--no-renames", "--no-ext-diff", "--no-textconv", commits, "--"),
    )


def commits(printed: bytes) -> list[Commit]:
    """Return the commits that git has printed."""
    parts = BEGIN.split(printed.decode(errors="replace"))[1:]
    return [_commit(part) for part in parts if part.count("\x00") >= FIELDS.count("%x00")]


def time_of(seconds: str) -> datetime:
    """Return the time of a commit; one that no calendar has is as old as can be."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _commit(printed: str) -> Commit:
    head, parents, seconds, author, committer, subject, steps, files = printed.split("\x00", 7)
    committed = time_of(seconds)
    return Commit(head, tuple(parents.split()), committed, author, committer, subject, steps[:200], _stat(files))


def _stat(numstat: str) -> str:
    lines = [line.split("\t", 2) for line in numstat.splitlines() if line.count("\t") >= 2]
    named = [f"{path} +{added} -{removed}" for added, removed, path in lines[:FILES]]
    return ", ".join([*named, *([f"{len(lines) - FILES} more files"] if len(lines) > FILES else [])])
