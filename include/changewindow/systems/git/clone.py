"""A clone of a git repository in which commits are made, and from which they are pushed."""

import re
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from changewindow.errors import StepFailed, StillUnderWay
from changewindow.systems.context import Context, Ran
from changewindow.systems.git.access import opened

ATTEMPTS = 5
"""How often to recreate the commits on top of what others have pushed in the meantime."""
LOST = ("hung up unexpectedly", "unexpected disconnect", "early EOF", "RPC failed")
"""What git prints when it loses the connection; the server may still complete the push."""
OVERTAKEN = ("[rejected]", "cannot lock ref", "failed to update ref", "incorrect old value", "reference already exists")
COMMIT = re.compile(r"^([0-9a-f]{40,64})(?: (.*))?$", re.MULTILINE)
"""A commit on a line of its own, as warnings of git are in the same output."""
IS_ANCESTOR, IS_NO_ANCESTOR = 0, 1
"""Exit codes of `merge-base --is-ancestor`; another one where a commit is not there."""
IS_UNSET = 1
"""The exit code of `config --get` where nothing is set."""
UNPACKED = re.compile(r"^\.merge_file_\w+$", re.MULTILINE)


@dataclass(frozen=True)
class Made:
    """What there is to push, if anything, and the commit that counts, which may have been there before."""

    new: str = ""
    counts: str = ""


@dataclass(frozen=True)
class Clone:
    """A branch of a repository, cloned into a private folder."""

    context: Context
    connection: str
    branch: str
    folder: Path
    environment: dict[str, str]

    def git(self, *arguments: str, hint: str = "", magic: bool = False) -> str:
        """Run git in the clone, changing nothing outside; return its output.

        With `magic`, paths among the arguments are patterns.

        Raises:
            StepFailed: it failed; the message ends with `hint`, which says what to do.
        """
        ran = self.look(*arguments, magic=magic)
        if ran.code:
            raise StepFailed(f"git {arguments[0]} failed: {last_line(ran)}. {hint}".rstrip())
        return ran.output.strip()

    def look(self, *arguments: str, magic: bool = False, answers: Collection[int] = ()) -> Ran:
        """Run git in the clone, changing nothing outside, whether it succeeds or not."""
        environment = {**self.environment, "GIT_LITERAL_PATHSPECS": "0"} if magic else self.environment
        command = ["git", *arguments]
        return self.context.look(command, folder=self.folder, environment=environment, quiet=True, answers=answers)

    def id(self, *arguments: str) -> str:
        """Run a git command that prints an id; return the id, or "" if it prints none."""
        return id_in(self.git(*arguments))

    def content(self, blob: str) -> bytes:
        """Return the content of a file as it is stored."""
        file = self.folder / str(UNPACKED.findall(self.git("unpack-file", blob))[-1])
        content = file.read_bytes()
        file.unlink()
        return content

    def clear(self) -> None:
        """Remove the files that lie beside the object database."""
        for entry in self.folder.iterdir():
            if entry.name == ".git":
                continue
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def made(self, message: str, tree: str, *parents: str) -> str:
        """Make a commit in the object database; return it."""
        named = [part for parent in parents for part in ("-p", parent)]
        return self.id("commit-tree", *named, "-m", message, tree)

    def commit(self, message: str, tree: str, *others: str) -> Made:
        """Make a commit on top of the branch, and of others if it is a merge."""
        made = self.made(message, tree, "HEAD", *others)
        return Made(new=made, counts=made)

    def setting(self, name: str) -> str:
        """Return what the account's settings say, or "" if they say nothing: `true` or `false`."""
        lines = self.look("config", "--type=bool", "--get", name, answers=(IS_UNSET,)).output.splitlines()
        return lines[-1] if lines and lines[-1] in {"true", "false"} else ""

    def is_signed(self, commit: str) -> bool:
        """Return whether a commit has a signature that is good."""
        return bool({"G", "U"} & set(self.git("log", "-1", "--format=%G?", commit).splitlines()))

    @property
    def remote(self) -> str:
        """Return what the remote branch was when last fetched."""
        return f"refs/remotes/origin/{self.branch}"

    def has(self, commit: str, branch: str) -> bool:
        """Return whether the clone's branch contains a commit that was once the head of another branch.

        Raises:
            StepFailed: it is no longer in the repository.
        """
        code = self._is_ancestor(commit, "HEAD")
        if code not in {IS_ANCESTOR, IS_NO_ANCESTOR}:
            problem = f"The repository of connection {self.connection} has no commit {commit[:12]} any more"
            raise StepFailed(
                f"{problem}, which was on top of {branch}. Was the branch force-pushed? Review and submit it again."
            )
        return code == IS_ANCESTOR

    def marked(self, since: str) -> tuple[str, bool]:
        """Return the newest commit after `since` with this step's mark (or ""), and whether it is a revert."""
        search = ["log", "-1", "-E", f"--grep=^(Change|Reverts)-Step: {self.context.mark}$"]
        what = "--format=%H %(trailers:key=Reverts-Step,valueonly,separator=%x20)"
        hint = f"If {self.branch} was force-pushed, see by hand what it holds."
        match = COMMIT.search(self.git(*search, what, f"{since}..HEAD", hint=hint))
        return (match[1], bool(match[2])) if match else ("", False)

    def contains(self, commit: str, in_commit: str) -> bool:
        """Return whether a commit is an ancestor of another, after fetching the repository."""
        self.look("fetch", "--quiet", "--no-tags", "origin")
        return self._is_ancestor(commit, in_commit) == IS_ANCESTOR

    def _is_ancestor(self, commit: str, in_commit: str) -> int:
        return self.look("merge-base", "--is-ancestor", commit, in_commit, answers=(IS_NO_ANCESTOR,)).code

    def push(self, make: Callable[["Clone"], Made]) -> str:
        """Make a commit on top of the branch and push it; start over if somebody else pushed in the meantime.

        Returns the commit that counts; without a new commit, nothing is pushed.

        Raises:
            StepFailed: what was made cannot be pushed.
            StillUnderWay: the connection was lost, and the server may take it all the same.
        """
        for _ in range(ATTEMPTS):
            made = make(self)
            if not made.new:
                return made.counts
            push = ["git", "push", "--porcelain", "origin", f"{made.new}:refs/heads/{self.branch}"]
            ran = self.context.run(push, folder=self.folder, environment=self.environment)
            if not ran.code:
                return made.counts
            if not any(sign in ran.output for sign in OVERTAKEN):
                lost = any(sign in ran.output for sign in LOST)
                raise (StillUnderWay if lost else StepFailed)(self._refused(ran))
            self.context.log(f"somebody else pushed to {self.branch} meanwhile: once more, on top of that")
            self.git(
                "fetch",
                "--quiet",
                "--no-tags",
                "origin",
                f"+refs/heads/{self.branch}:{self.remote}",
            )
            self.git("update-ref", "HEAD", self.remote)
        raise StepFailed(
            f"Others pushed to {self.branch} of {self.connection} each of the {ATTEMPTS} times that this was tried. "
            "Nothing was pushed. Find out who pushes so often, and try again."
        )

    def require_push(self) -> None:
        """Check that the account may push, as far as a dry run can tell."""
        ran = self.look("push", "--dry-run", "--porcelain", "origin", f"HEAD:refs/heads/{self.branch}")
        if ran.code:
            raise StepFailed(self._refused(ran))

    def _refused(self, ran: Ran) -> str:
        where = f"{self.branch} of {self.connection}"
        if "[remote rejected]" not in ran.output:
            return f"git push to {where} failed: {last_line(ran)}. May the account of the connection push?"
        lines = [line.strip() for line in ran.output.splitlines()]
        messages = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]
        reason = next(line.partition("[remote rejected]")[2].strip() for line in lines if "[remote rejected]" in line)
        why = " / ".join([*[line for line in messages if line][:3], reason])
        return (
            f"The repository refused the push to {where}: {why}. If the branch is protected, allow the connection's "
            "account to push to it; the change cannot go on otherwise."
        )


@contextmanager
def cloned(context: Context, connection: str, branch: str) -> Iterator[Clone]:
    """Yield a clone of a branch with its full history; no file is checked out, and contents are fetched on demand.

    Raises:
        StepFailed: it cannot be cloned.
    """
    with opened(context, connection) as (address, environment), context.temporary_folder() as folder:
        clone = Clone(context, connection, branch, folder, environment)
        # Of a part of a history, no revert is certain; and git fetches what is not there of it again and again.
        how = ["--quiet", "--no-tags", "--no-checkout", "--template=", "--reject-shallow"]
        how += [] if address.startswith(("/", "file://")) else ["--filter=blob:none"]
        clone.git("clone", *how, "--branch", branch, "--", address, ".")
        yield clone


def tips(context: Context, connection: str, *branches: str) -> list[str]:
    """Return the head commit of each branch.

    Raises:
        StepFailed: there is none.
    """
    refs = [f"refs/heads/{branch}" for branch in branches]
    with opened(context, connection) as (address, environment):
        ran = context.look(["git", "ls-remote", "--", address, *refs], environment=environment, quiet=True)
    if ran.code:
        raise StepFailed(f"The repository of connection {connection} cannot be read: {last_line(ran)}.")
    commits = {ref: commit for commit, _, ref in (line.partition("\t") for line in ran.output.splitlines())}
    for branch, ref in zip(branches, refs, strict=True):
        if ref not in commits:
            raise StepFailed(f"The repository of connection {connection} has no branch {branch}.")
    return [commits[ref] for ref in refs]


def id_in(output: str) -> str:
    """Return the id in the output of git, or "" if there is none."""
    match = COMMIT.search(output)
    return match[1] if match else ""


def last_line(ran: Ran) -> str:
    """Return the last meaningful line that git printed."""
    output = ran.output.partition("fatal: Could not read from remote repository")[0].strip() or ran.output
    lines = [line.strip().rstrip(".") for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {ran.code}"
