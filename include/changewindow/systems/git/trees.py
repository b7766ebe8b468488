"""Makes the trees of new commits in the object database: no file is checked out, and no filter of a repository runs."""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from changewindow.errors import StepFailed
from changewindow.systems.git import attributes
from changewindow.systems.git.clone import Clone, id_in, last_line

ENTRY = re.compile(r"(\d{6}) (?:blob|tree|commit) ([0-9a-f]{40,64})\t([^\0]+)\0")
CONFLICT = re.compile(r"\d{6} [0-9a-f]{40,64} [123]\t([^\0]+)\0")
"""A file of which a merge could not say what it becomes; a warning does not look like it."""
TREE = re.compile(r"(?:^|\n)([0-9a-f]{40,64})\0")
FOLDER, LINK, SUBMODULE = "040000", "120000", "160000"
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
"""The first bytes of a file that tell its encoding, the longer ones first."""


@dataclass(frozen=True)
class File:
    """A file as it is stored: its mode, and its content or None when there is none yet."""

    mode: str
    content: bytes | None

    @property
    def mark(self) -> bytes:
        """Return the bytes at its beginning that tell its encoding, if it is not UTF-8."""
        return next((mark for mark in MARKS if (self.content or b"").startswith(mark)), b"")

    @property
    def encoding(self) -> str:
        """Return how it is encoded, as far as its first bytes tell."""
        return MARKS.get(self.mark, "utf-8")


def merged(clone: Clone, commit: str, *, hint: str) -> str:
    """Return the tree of the clone's head merged with another commit.

    Raises:
        StepFailed: they conflict; the message names the files and ends with `hint`.
    """
    if clone.setting("merge.verifySignatures") == "true" and not clone.is_signed(commit):
        raise StepFailed(f"git merge failed: Commit {commit[:7]} does not have a GPG signature. Nothing was pushed.")
    return _combined(clone, "HEAD", commit, how="merge", hint=hint)


def reverted(clone: Clone, commit: str, *, hint: str) -> str:
    """Return the tree of the clone's head without what a commit changed in its first parent; see `merged`."""
    # A three-way merge with the commit as the base: commits of our own have the parents that make it so.
    base = clone.made("the base", f"{commit}^{{tree}}")
    ours, theirs = clone.made("ours", "HEAD^{tree}", base), clone.made("theirs", f"{commit}^1^{{tree}}", base)
    return _combined(clone, ours, theirs, how="revert", hint=hint)


def _combined(clone: Clone, ours: str, theirs: str, *, how: str, hint: str) -> str:
    attributes.bring(clone, with_union=how == "merge")
    ran = clone.look("merge-tree", "--write-tree", "--no-messages", "-z", ours, theirs)
    if files := dict.fromkeys(CONFLICT.findall(ran.output)):
        raise StepFailed(f"git {how} conflicts in {', '.join(files)}. Nothing was pushed. {hint}")
    if ran.code:
        raise StepFailed(f"git {how} failed: {last_line(ran)}. Nothing was pushed.")
    return id_in(ran.output.replace("\0", "\n"))


def present(clone: Clone, name: str) -> File:
    """Return a file of the clone's head.

    Raises:
        StepFailed: there can be none at this path, or it is not a file of this repository.
    """
    path = PurePosixPath(name)
    way = [str(path), *map(str, path.parents)][-2::-1]
    listed = ENTRY.findall(clone.git("ls-tree", "-z", "-t", "HEAD", "--", *way) + "\0")
    modes = {entry: (mode, blob) for mode, blob, entry in listed}
    for entry in way:
        mode, blob = modes.get(entry, ("", ""))
        if mode == LINK:
            raise StepFailed(f"{name} on {clone.branch} is or lies behind a symbolic link. Name the file itself.")
        if mode == SUBMODULE:
            problem = f"{name} on {clone.branch} is or lies in the submodule {entry}, which is a repository of its own"
            raise StepFailed(f"{problem}. Name that one's connection.")
        if mode and (mode == FOLDER) == (entry == str(path)):
            why = "Is a directory" if mode == FOLDER else "File exists"
            problem = f"{name} cannot be written on {clone.branch} of {clone.connection}: {why}"
            raise StepFailed(f"{problem}. Correct the path of the file.")
    return File("100755" if mode == "100755" else "100644", clone.content(blob) if blob else None)


def written(clone: Clone, files: Mapping[str, File]) -> str:
    """Return the tree in the index with other contents of some files."""
    for name, file in files.items():
        with clone.context.temporary_folder() as folder:
            (folder / "content").write_bytes(file.content or b"")
            blob = clone.id("hash-object", "-w", "--no-filters", "--", str(folder / "content"))
        clone.git("update-index", "--add", "--cacheinfo", f"{file.mode},{blob},{PurePosixPath(name)}")
    return clone.id("write-tree", "--missing-ok")
