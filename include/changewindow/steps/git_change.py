"""Merges a branch, writes files or reverts a commit, and pushes; undo pushes a real `git revert` of that.

For configuration or manifests that a deployer takes from git. One of `merge` (a branch into another), `write` (whole
files), `replace` (one text of a file by another) and `revert` (a commit) says what changes. The commit names the change
in its message, which is how undo finds it: also when apply died between push and report, also with new commits on top.
Undo twice reverts once. When somebody else pushes in between, both make their commit anew on top of that, a few times.
A conflict fails the step and names the files; nothing is pushed then. When apply was cut short and its commit is not
there, undo pushes an empty one, so that a push which the server is still busy with cannot land later. With `deployed`,
both wait (for at most four fifths of `timeout`) until the deployer reports the commit, or a later one that contains it.

Nothing is checked out: files are merged, written and reverted as git stores them, and no filter or merge driver that is
a program runs. `write` and `replace` take text. It is stored in UTF-8, also where `working-tree-encoding` gives a
checkout another encoding, or in UTF-16 or UTF-32 where the first bytes of the present file tell that; a written file
with the line ends and `$Id$` that `.gitattributes` ask for. A file that goes through a filter (Git LFS, git-crypt) is
refused, as is a binary one.

The Airflow Connection (type `git`): host is the repository's address (https, ssh or a path), login and password an
account or token; extra `key_file` or `private_key`, `private_key_passphrase`, `strict_host_key_checking`,
`known_hosts_file`, `ssh_config_file`, `host_proxy_cmd` and `ssh_port`, as Airflow's own git bundles have them.
"""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.types import ConnectionName, Model
from changewindow.errors import StepFailed
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context
from changewindow.systems.git import trees
from changewindow.systems.git.clone import Clone, Made, cloned, tips
from changewindow.systems.git.contents import overwritten, replaced
from changewindow.systems.git.deployer import Deployed
from changewindow.systems.git.refs import Branch
from changewindow.systems.git.trees import File
from changewindow.systems.place import Sort

EXAMPLE = {
    "name": "Merge the release",
    "kind": "git_change",
    "connection": "example_config",
    "merge": "release/v2.15.0",
    "into": "main",
}
LATER = "Later commits changed the same lines: revert {} by hand."
FileName = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^/\n]([^\n]*[^/\n])?$")]


class Replace(Model):
    """One text of a file, and the text that replaces it."""

    file: FileName
    old: str = Field(min_length=1)
    """The present text; it must occur exactly once."""
    new: str


class Step(StepBase):
    """A branch to merge into another, or a commit to make there."""

    kind: Literal["git_change"] = "git_change"
    is_configuration: ClassVar[bool] = True
    why_not_before_approval: ClassVar[str] = "it would start git on the branches that the step names"
    acts_on: ClassVar[Sort] = "repository"

    connection: ConnectionName
    """The Airflow Connection of the repository."""
    merge: Branch | None = None
    """The branch that holds the change."""
    commit: str | None = Field(default=None, pattern="^[0-9a-f]{7,40}$")
    """The commit on top of that branch that was reviewed; when the branch has moved since, the step is refused."""
    write: dict[FileName, str] = {}
    """Files of the repository with their new content, instead of a merge."""
    replace: Replace | None = None
    """One value of a file, instead of a merge."""
    revert: str | None = Field(default=None, pattern="^([0-9a-f]{40}|[0-9a-f]{64})$")
    """A commit to revert, instead of a merge; of a merge, what it brought in."""
    into: Branch = "main"
    """The branch that is deployed."""
    deployed: Deployed | None = None
    """Where the deployer reports the commit; without it, the step ends with the push."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if bool(self.merge) + bool(self.write) + bool(self.replace) + bool(self.revert) != 1:
            raise refusal("it changes one thing", "Write exactly one of `merge`, `write`, `replace` and `revert`.")
        if self.commit and not self.merge:
            raise refusal("`commit` belongs to `merge`", "Remove it.")
        for file in (*self.write, *([self.replace.file] if self.replace else [])):
            if {"..", ".git"} & set(Path(file).parts):
                raise refusal(f"{file} is not a file of the repository", "Write its path from the top.")
        return self

    def does(self) -> str:
        """Describe what is pushed."""
        if self.merge:
            return f"git merge {self.merge} into {self.into} of {self.connection}, push{self._and_wait}"
        if self.revert:
            return f"git revert of {self.revert[:12]} on {self.into} of {self.connection}, push{self._and_wait}"
        what = f"replace {self.replace.old!r} by {self.replace.new!r} in {self.replace.file}" if self.replace else ""
        what = what or f"write {', '.join(self.write)}"
        return f"{what} on {self.into} of {self.connection}, git commit, push{self._and_wait}"

    def undoes(self) -> str:
        """Describe the revert."""
        what = "merge" if self.merge else "commit"
        return f"git revert of that {what} on {self.into} of {self.connection}, push{self._and_wait}"

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return why it cannot be pushed: a branch that moved, a conflict, an account that may not.

        What a later step writes is not tried: an earlier one may still write what it needs.
        """
        remembered, missing = self.remember(context), []
        if self.commit and not remembered["merged"].startswith(self.commit):
            problem = (
                f"{self.merge} is at {remembered['merged'][:12]} and not at {self.commit[:12]}, which was reviewed"
            )
            missing.append(f"{problem}; review it again, and correct `commit`")
        with cloned(context, self.connection, self.into) as clone:
            clone.require_push()
            if self.merge or context.step == 1:
                self._forward(clone, remembered)
        if self.deployed and (reported := self.deployed.reported(context)).startswith("nothing"):
            missing.append(f"the deployer at {self.deployed.connection} reports {reported}; correct `deployed`")
        return missing

    def remember(self, context: Context) -> Memory:
        """Return the commits on top of both branches."""
        branches = [self.into, self.merge] if self.merge else [self.into]
        return dict(zip(("head", "merged"), tips(context, self.connection, *branches), strict=False))

    def restored(self, remembered: Memory) -> str:
        """Return the commit whose content the branch has again."""
        return f"{self.into} as it was at {remembered['head'][:12]}"

    def apply(self, context: Context, remembered: Memory) -> None:
        """Merge the commit that was remembered, or write the files; push."""
        if self.commit and not remembered["merged"].startswith(self.commit):
            raise StepFailed(f"{self.merge} has moved to {remembered['merged'][:12]} since it was reviewed.")
        with cloned(context, self.connection, self.into) as clone:
            self._until_deployed(clone, clone.push(lambda here: self._forward(here, remembered)))

    def undo(self, context: Context, remembered: Memory) -> None:
        """Revert the commit, if it was pushed and is not reverted yet; push."""
        with cloned(context, self.connection, self.into) as clone:
            self._until_deployed(clone, clone.push(lambda here: self._back(here, remembered)))

    def _forward(self, clone: Clone, remembered: Memory) -> Made:
        """Make the commit, unless it is there."""
        done, is_reverted = clone.marked(remembered["head"])
        if done and not is_reverted:
            clone.context.log(f"nothing to do: {self.into} already contains it")
            return Made(counts=done)
        reverts = f"This reverts commit {self.revert}.\n\n" if self.revert else ""
        message = f"{clone.context.change}: {self.name}\n\n{reverts}Change-Step: {clone.context.mark}"
        if self.merge:
            if clone.has(remembered["merged"], self.merge):
                problem = f"{self.merge} holds nothing that {self.into} lacks; there is nothing to merge."
                raise StepFailed(f"{problem} If it was merged and reverted before, revert that revert instead.")
            hint = "Resolve the conflict on the branch and submit again."
            return clone.commit(message, trees.merged(clone, remembered["merged"], hint=hint), remembered["merged"])
        tree = self._reverted(clone, self.revert) if self.revert else trees.written(clone, self._files(clone))
        if tree == clone.id("rev-parse", "HEAD^{tree}"):
            raise StepFailed(f"{self.into} holds that content already; there is nothing to write.")
        return clone.commit(message, tree)

    def _reverted(self, clone: Clone, commit: str) -> str:
        """Return the tree without a commit, which has to be on the branch."""
        if not clone.has(commit, self.into):
            raise StepFailed(f"{self.into} does not contain {commit[:12]}; there is nothing to revert.")
        return trees.reverted(clone, commit, hint=LATER.format(commit[:12]))

    def _files(self, clone: Clone) -> dict[str, File]:
        """Return each file as it is to be stored."""
        clone.git("read-tree", "HEAD")
        files = {name: overwritten(clone, name, text) for name, text in self.write.items()}
        if edit := self.replace:
            files[edit.file] = replaced(clone, edit.file, edit.old, edit.new)
        return files

    def _back(self, clone: Clone, remembered: Memory) -> Made:
        """Make the revert, unless it is there or there is nothing to revert."""
        made, is_reverted = clone.marked(remembered["head"])
        if not made:
            if clone.context.apply_ended == "applied" and clone.id("rev-parse", "HEAD") != remembered["head"]:
                problem = f"{self.into} of {self.connection} has no commit of {clone.context.mark} any more, which was"
                raise StepFailed(f"{problem} pushed there. Was it force-pushed? See by hand what is left of it.")
            clone.context.log(f"nothing to undo: {self.into} does not contain the commit")
            return self._keep_out(clone) if clone.context.apply_ended == "cut_short" else Made()
        if is_reverted:
            clone.context.log(f"nothing to undo: {self.into} contains the revert already")
            return Made(counts=made)
        hint = LATER.format(made[:12])
        message = f"Revert {clone.context.change}: {self.name}\n\nThis reverts commit {made}.\n\n"
        message += f"Reverts-Step: {clone.context.mark}"
        return clone.commit(message, trees.reverted(clone, made, hint=hint))

    def _keep_out(self, clone: Clone) -> Made:
        """Put an empty commit on top: a push that the server has not ended yet is refused then, as it is overtaken."""
        clone.context.log("the push of apply was cut short and may be under way; an empty commit keeps it out")
        message = f"{clone.context.change}: rolled back: {self.name}\n\nIts push was cut short; on top of this commit, "
        message += f"the server takes it no more.\n\nReverts-Step: {clone.context.mark}"
        return Made(new=clone.commit(message, "HEAD^{tree}").new)

    def _until_deployed(self, clone: Clone, commit: str) -> None:
        if self.deployed and commit:
            self.deployed.wait(clone, commit, within=self.timeout * 0.8)

    @property
    def _and_wait(self) -> str:
        return f", wait until {self.deployed.connection} reports it" if self.deployed else ""
