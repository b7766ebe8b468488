"""Merges a branch into another and pushes; undo pushes a real `git revert` of that merge.

For configuration or manifests that a deployer takes from git. The repository comes from an Airflow Connection of type
Git (its host is the repository's address or path). The merge commit names the change in its message, which is how undo
finds it: also when apply died between push and report, also with new commits on top. Undo twice reverts once. A
conflict while reverting fails the undo and names the files; nothing is pushed then.
"""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from changewindow.context import Context, Ran
from changewindow.errors import StepFailed
from changewindow.repository import BRANCH, address, environment, last_line
from changewindow.steps.base import Memory, StepBase

EXAMPLE = {
    "name": "Merge the release",
    "kind": "git_change",
    "connection": "example_config",
    "merge": "release/v2.15.0",
    "into": "main",
}


class Step(StepBase):
    """A branch to merge into another."""

    is_configuration: ClassVar[bool] = True

    connection: str
    """The Airflow Connection of the repository."""
    merge: str = Field(pattern=BRANCH)
    """The branch that holds the change."""
    into: str = Field(default="main", pattern=BRANCH)
    """The branch that is deployed."""

    def does(self) -> str:
        """Say the merge."""
        return f"git merge {self.merge} into {self.into} of {self.connection}, push"

    def undoes(self) -> str:
        """Say the revert."""
        return f"git revert of that merge on {self.into} of {self.connection}, push"

    def remember(self, context: Context) -> Memory:
        """Return the commits at the tips of both branches."""
        tips = {branch: self._tip(context, branch) for branch in (self.into, self.merge)}
        return {"head": tips[self.into], "merged": tips[self.merge]}

    def apply(self, context: Context, remembered: Memory) -> None:
        """Merge the commit that was remembered, and push."""
        with context.workspace() as folder:
            self._clone(context, folder)
            message = f"{context.change}: {self.name}\n\nChange-Step: {context.mark}"
            merge = ["git", "merge", "--no-ff", "-m", message, remembered["merged"]]
            self._git(context, folder, *merge[1:], hint="Resolve the conflict on the branch and submit again.")
            if self._on_top(context, folder) == remembered["head"]:
                raise StepFailed(f"{self.merge} holds nothing that {self.into} lacks; there is nothing to merge.")
            self._push(context, folder)

    def undo(self, context: Context, remembered: Memory) -> None:
        """Revert the merge, if it was pushed and is not reverted yet, and push."""
        with context.workspace() as folder:
            self._clone(context, folder)
            merged = self._marked(context, folder, f"Change-Step: {context.mark}", remembered["head"])
            if not merged:
                context.log(f"nothing to undo: {self.into} does not contain the merge")
                return
            if self._marked(context, folder, f"Reverts-Step: {context.mark}", remembered["head"]):
                context.log(f"nothing to undo: {self.into} contains the revert already")
                return
            self._git(context, folder, "revert", "--no-commit", "-m", "1", merged, hint="Revert by hand.")
            message = f"Revert {context.change}: {self.name}\n\nThis reverts commit {merged}.\n"
            message += f"\nReverts-Step: {context.mark}"
            self._git(context, folder, "commit", "--allow-empty", "-m", message)
            self._push(context, folder)

    def _tip(self, context: Context, branch: str) -> str:
        repository = context.connection(self.connection)
        tip = ["git", "ls-remote", address(repository), f"refs/heads/{branch}"]
        ran = context.look(tip, environment=environment(repository), quiet=True)
        if ran.code:
            raise StepFailed(f"The repository of connection {self.connection} cannot be read: {last_line(ran)}")
        if not ran.output.strip():
            raise StepFailed(f"The repository of connection {self.connection} has no branch {branch}.")
        return ran.output.split()[0]

    def _clone(self, context: Context, folder: Path) -> None:
        place = address(context.connection(self.connection))
        self._git(context, folder, "clone", "--quiet", "--branch", self.into, place, ".")

    def _on_top(self, context: Context, folder: Path) -> str:
        return self._git(context, folder, "rev-parse", "HEAD").output.strip()

    def _marked(self, context: Context, folder: Path, mark: str, since: str) -> str:
        """Return the newest commit since `since` whose message carries the mark, or an empty text."""
        search = ["log", f"--grep=^{mark}$", "--format=%H", f"{since}..HEAD"]
        return next(iter(self._git(context, folder, *search).output.split()), "")

    def _push(self, context: Context, folder: Path) -> None:
        ran = context.run(
            ["git", "push", "origin", f"HEAD:{self.into}"], folder=folder, environment=self._settings(context)
        )
        if ran.code:
            raise StepFailed(f"git push to {self.into} of {self.connection} was refused: {last_line(ran)}")

    def _settings(self, context: Context) -> dict[str, str]:
        return environment(context.connection(self.connection))

    def _git(self, context: Context, folder: Path, *arguments: str, hint: str = "") -> Ran:
        """Run git in the clone, which nobody else sees: it only reads the world."""
        ran = context.look(["git", *arguments], folder=folder, environment=self._settings(context), quiet=True)
        if ran.code:
            files = [line for line in ran.output.splitlines() if "CONFLICT" in line]
            raise StepFailed(f"git {arguments[0]} failed: {'; '.join(files) or last_line(ran)}. {hint}".rstrip())
        return ran
