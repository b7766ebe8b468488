"""Provides a folder of files, from a git repository or from the worker."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.types import ConnectionName, Model
from changewindow.errors import StepFailed
from changewindow.systems.context import Context
from changewindow.systems.git.access import opened
from changewindow.systems.git.clone import id_in, last_line
from changewindow.systems.git.refs import ref_name
from changewindow.systems.process.supervised import ProgramOptions

POINTER = b"version https://git-lfs.github.com/spec/v1\n"
SMALL = 1024
"""A pointer is smaller, as Git LFS says itself."""
NO_SUCH = 1
"""The exit code of `rev-parse --verify --quiet` for a name that is none."""


@dataclass(frozen=True)
class Folder:
    """A folder with the files of a commit; a folder on the worker has no commit."""

    path: Path
    commit: str = ""


class Files(Model):
    """A folder of files, in a git repository or on the worker."""

    folder: str = Field(min_length=1)
    """The folder: a path within the repository, or an absolute path on the worker."""
    repository: ConnectionName = ""
    """The Airflow Connection of the repository; without it, the folder is on the worker."""
    at: Annotated[str, AfterValidator(ref_name)] = ""
    """The branch, tag or commit; a branch may move between approval and gate, a tag or commit does not."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if bool(self.repository) != bool(self.at):
            raise refusal("repository and at belong together", "Write both, or neither for a folder on the worker.")
        if not self.repository and not self.folder.startswith("/"):
            raise refusal(f"{self.folder} is not the whole path of a folder on the worker", "Begin it with /.")
        return self

    def description(self) -> str:
        """Return where the files are: `db at v2 of example_config`."""
        return f"{self.folder} at {self.at} of {self.repository}" if self.repository else self.folder

    @contextmanager
    def opened(self, context: Context, commit: str = "") -> Iterator[Folder]:
        """Yield the folder as of `commit`, or without one, of the branch or tag as it is now.

        Raises:
            StepFailed: it does not exist.
        """
        with context.temporary_folder() as clone:
            if self.repository:
                checked_out = self._checked_out(context, clone, commit)
                path = (clone / self.folder).resolve()
                is_inside = path.is_relative_to(clone.resolve())
            else:
                checked_out, path, is_inside = "", Path(self.folder), True
            if not path.is_dir() or not is_inside:
                raise StepFailed(
                    f"There is no folder {self.description()}. Correct the ticket, or bring the files there."
                )
            if checked_out and (pointer := next(_pointers(path), None)):
                problem = f"{pointer.relative_to(clone.resolve())} of {self.repository} is a pointer of Git LFS here"
                raise StepFailed(
                    f"{problem}, and not the file. Install git-lfs on the worker, or store it in git itself."
                )
            yield Folder(path, checked_out)

    def _checked_out(self, context: Context, clone: Path, commit: str) -> str:
        """Check out a commit; return its id."""
        with opened(context, self.repository) as (address, environment):
            options: ProgramOptions = {"folder": clone, "environment": environment, "quiet": True}
            cloned = context.look(["git", "clone", "--quiet", "--no-checkout", "--", address, "."], **options)
        if cloned.code:
            raise StepFailed(f"The repository of connection {self.repository} cannot be read: {last_line(cloned)}")
        for name in [commit] if commit else [f"refs/remotes/origin/{self.at}", f"refs/tags/{self.at}", self.at]:
            verify = ["git", "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"]
            asked = context.look(verify, folder=clone, environment=environment, quiet=True, answers=(NO_SUCH,))
            if asked.code:
                continue
            checked_out = context.look(["git", "checkout", "--quiet", "--detach", id_in(asked.output)], **options)
            if checked_out.code:
                raise StepFailed(f"{self.description()} cannot be checked out: {last_line(checked_out)}")
            return id_in(asked.output)
        what = f"commit {commit}, of which this change was applied" if commit else f"branch, tag or commit {self.at}"
        raise StepFailed(f"The repository of connection {self.repository} has no {what}. Bring it back there.")


def _pointers(folder: Path) -> Iterator[Path]:
    """Yield the files of which only a pointer was checked out, as the program that brings their content is missing."""
    for file in folder.rglob("*"):
        is_small = file.is_file() and not file.is_symlink() and file.stat().st_size < SMALL
        if is_small and ".git" not in file.parts and file.read_bytes().startswith(POINTER):
            yield file
