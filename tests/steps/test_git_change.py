"""The step git_change, on a real repository."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.errors import StepFailed, UnusableConnection
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from step_fixtures.git_change import git
from step_fixtures.git_change import repository as made
from support.git_changes import STEP, busy, commit, context, step
from support.recording_server import RecordingServer

WRITE = {"name": "Tune", "connection": "example_config", "write": {"conf/pool.yaml": "max_idle: 1\n"}}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with a release on a branch of its own."""
    return made(tmp_path / "config")


def test_undo_reverts_the_merge_once(repository: Path) -> None:
    """What was merged is reverted; a second undo finds nothing left to do."""
    here = context(repository)
    remembered = STEP.remember(here)
    STEP.apply(here, remembered)
    assert git(repository, "show", "main:version") == "2"
    STEP.undo(here, remembered)
    tip = git(repository, "rev-parse", "main")
    STEP.undo(here, remembered)
    assert git(repository, "show", "main:version") == "1"
    assert git(repository, "rev-parse", "main") == tip


def test_an_answer_of_git_is_no_failure_in_the_log(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A setting that is not set, a commit that is no ancestor: whoever reads the log looks for no cause."""
    here = context(repository)
    remembered = STEP.remember(here)
    STEP.apply(here, remembered)
    STEP.undo(here, remembered)
    STEP.undo(here, remembered)
    assert "exit code 1" not in capsys.readouterr().out


def test_undo_of_step_1_leaves_step_12_alone(repository: Path) -> None:
    """The mark of a step is matched whole: the merge of step 12 is not the one of step 1."""
    remembered = STEP.remember(context(repository))
    STEP.apply(context(repository, 12), remembered)
    refused = context(repository, 1)
    refused.apply_ended = "failed"
    STEP.undo(refused, remembered)
    assert git(repository, "show", "main:version") == "2"


def test_undo_of_a_step_that_never_pushed_does_nothing(repository: Path) -> None:
    """An apply that died before its push left nothing to revert."""
    remembered = STEP.remember(context(repository))
    STEP.undo(context(repository), remembered)
    assert git(repository, "rev-parse", "main") == remembered["head"]


def test_a_dry_run_pushes_nothing(repository: Path) -> None:
    """A dry run merges in its own clone and leaves the repository as it is."""
    here = context(repository)
    here.dry_run = True
    remembered = STEP.remember(here)
    STEP.apply(here, remembered)
    assert git(repository, "rev-parse", "main") == remembered["head"]


def test_files_are_written_and_taken_back(repository: Path) -> None:
    """A new file goes again, also with other commits on top; nothing to write is refused."""
    here, write = context(repository), step(write={"conf/pool.yaml": "max_idle: 1\n", "version": "7"})
    remembered = write.remember(here)
    write.apply(here, remembered)
    assert git(repository, "show", "main:conf/pool.yaml") == "max_idle: 1"
    write.apply(here, remembered)
    assert git(repository, "log", "--format=%s", "main").splitlines() == ["CHG-1001: Tune", "first"]
    with pytest.raises(StepFailed, match="main holds that content already; there is nothing to write"):
        write.apply(context(repository, 2), write.remember(here))
    commit(repository, "other", "kept")
    write.undo(here, remembered)
    assert git(repository, "ls-tree", "-r", "--name-only", "main").split() == ["other", "version"]
    assert git(repository, "show", "main:version") == "1"


def test_one_value_is_replaced(repository: Path) -> None:
    """Everything else of the file stays, and the value must be there exactly once."""
    before = "# idle connections\nmax_idle: 10\nmax_open: 100\n"
    commit(repository, "pool.yaml", before)
    here = context(repository)
    edit = step(replace={"file": "pool.yaml", "old": "max_idle: 10", "new": "max_idle: 1"})
    remembered = edit.remember(here)
    edit.apply(here, remembered)
    assert git(repository, "show", "main:pool.yaml") == before.replace("max_idle: 10", "max_idle: 1").strip()
    edit.undo(here, remembered)
    assert git(repository, "show", "main:pool.yaml") == before.strip()
    with pytest.raises(StepFailed) as raised:
        step(replace={"file": "pool.yaml", "old": "10", "new": "1"}).apply(here, remembered)
    message = "pool.yaml on main has '10' 2 times, once was expected. Correct `old`, with as much around it as makes it"
    assert str(raised.value).startswith(message)
    with pytest.raises(StepFailed, match="There is no file none on main of example_config"):
        step(replace={"file": "none", "old": "a", "new": "b"}).apply(here, remembered)


def test_a_link_is_not_followed(repository: Path, tmp_path: Path) -> None:
    """What a link points to is not part of the repository."""
    git(repository, "checkout", "-q", "main")
    (repository / "conf").symlink_to(tmp_path)
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "a link")
    git(repository, "checkout", "-q", "--detach")
    here = context(repository)
    with pytest.raises(StepFailed, match=r"conf/pool\.yaml on main is or lies behind a symbolic link"):
        step(write=WRITE["write"]).apply(here, step(write=WRITE["write"]).remember(here))
    assert not (tmp_path / "pool.yaml").exists()


def test_pushes_of_others_in_between_are_built_upon(repository: Path) -> None:
    """Both ways, the commit is made anew on top of them, and theirs stay."""
    here = busy(repository, 2)
    remembered = STEP.remember(here)
    STEP.apply(here, remembered)
    assert git(repository, "show", "main:version") == "2"
    here.pushes, here.somebody = 1, lambda _: commit(repository, "late", "x")
    STEP.undo(here, remembered)
    assert git(repository, "show", "main:version") == "1"
    assert git(repository, "ls-tree", "--name-only", "main").split() == ["late", "theirs-0", "theirs-1", "version"]


def test_others_who_never_stop_pushing(repository: Path) -> None:
    """It gives up, with the number of attempts."""
    here = busy(repository, 99)
    with pytest.raises(StepFailed, match="Others pushed to main of example_config each of the 5 times"):
        step(write=WRITE["write"]).apply(here, STEP.remember(here))


def test_a_protected_branch(repository: Path) -> None:
    """What the repository says is in the message, with what to do."""
    hook = repository / ".git/hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'error: GH006: Protected branch update failed.' >&2\nexit 1\n")
    hook.chmod(0o755)
    here = context(repository)
    with pytest.raises(StepFailed) as raised:
        STEP.apply(here, STEP.remember(here))
    assert str(raised.value) == (
        "The repository refused the push to main of example_config: error: GH006: Protected branch update failed. / "
        "(pre-receive hook declined). If the branch is protected, allow the connection's account to push to it; "
        "the change cannot go on otherwise."
    )


def test_a_conflict_names_the_files(repository: Path) -> None:
    """In a merge, at the gate already; in a revert, as what a person has to do."""
    here = context(repository)
    remembered = STEP.remember(here)
    STEP.apply(here, remembered)
    commit(repository, "version", "3")
    with pytest.raises(StepFailed) as raised:
        STEP.undo(here, remembered)
    made = git(repository, "rev-parse", "main~1")[:12]
    assert str(raised.value) == (
        "git revert conflicts in version. Nothing was pushed. "
        f"Later commits changed the same lines: revert {made} by hand."
    )
    commit(repository, "version", "4", branch="release/v2.15.0")
    with pytest.raises(StepFailed, match=r"git merge conflicts in version\. Nothing was pushed\. Resolve the conflict"):
        STEP.missing_prerequisites(context(repository, 2))


def test_a_branch_that_moved_since_its_review(repository: Path) -> None:
    """The commit that was reviewed is the one that is merged, or none."""
    reviewed = git(repository, "rev-parse", "release/v2.15.0")
    pinned = step(merge="release/v2.15.0", commit=reviewed[:10])
    here = context(repository)
    assert pinned.missing_prerequisites(here) == []
    moved = commit(repository, "sneaked", "in", branch="release/v2.15.0")
    message = f"release/v2.15.0 is at {moved[:12]} and not at {reviewed[:10]}, which was reviewed; review it again, "
    assert pinned.missing_prerequisites(here) == [f"{message}and correct `commit`"]
    with pytest.raises(StepFailed, match="has moved to"):
        pinned.apply(here, pinned.remember(here))


class Live(dict[str, tuple[int, str]]):
    """What a deployer reports, asked anew each time."""

    def __init__(self, report: Callable[[], str]) -> None:
        self.report = report

    def get(self, path: str, default: Any = None) -> Any:
        """Answer."""
        return (200, json.dumps({"status": {"revision": self.report()}})) if path == "/app" else default


def test_it_waits_until_the_deployer_has_it(repository: Path, server: RecordingServer) -> None:
    """The commit itself, a later one that contains it, or in time an error; on the way back likewise."""
    known = {
        "example_config": Connection("example_config", "git", host=str(repository)),
        "cd": Connection("cd", "http", host=server.url, password="token", extra={"scheme": "Bearer"}),
    }
    here = Context("CHG-1001", 1, lambda name: known[name], print)
    deployed = {"connection": "cd", "path": "/app", "json": "status.revision"}
    write = step(write=WRITE["write"], deployed=deployed, timeout="2s")
    assert write.missing_prerequisites(here) == [
        "the deployer at cd reports nothing (status 404); correct `deployed`",
    ]
    server.answers = Live(lambda: "HEAD")
    assert write.missing_prerequisites(here) == [
        "the deployer at cd reports nothing ('HEAD' is no commit); correct `deployed`"
    ]
    server.answers = Live(lambda: git(repository, "rev-parse", "main"))
    assert write.missing_prerequisites(here) == []
    remembered = write.remember(here)
    write.apply(here, remembered)
    later = commit(repository, "later", "x")
    write.undo(here, remembered)
    assert server.requests[-1].headers["Authorization"] == "Bearer token"
    server.answers = Live(lambda: later)
    with pytest.raises(
        StepFailed, match=rf"Timed out after 1\.6s, waiting until cd reports commit .* It reports {later}\."
    ):
        write.undo(here, remembered)
    newest = commit(repository, "latest", "x")
    server.answers = Live(lambda: newest)
    write.undo(here, remembered)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"host": ""}, "has no host"),
        ({"host": "https://me:s3cret@example.com/x.git"}, "has no address without a password in it"),
        ({"extra": {"github_app_id": "1"}}, "use a token or key, not github_app_id"),
        ({"extra": {"strict_host_key_checking": "maybe"}}, "has no valid strict_host_key_checking; it is one of"),
    ],
)
def test_a_connection_that_cannot_be_used(repository: Path, fields: dict[str, Any], message: str) -> None:
    """It is found before anything is touched, and its password is not told."""
    with pytest.raises(UnusableConnection, match=message) as raised:
        STEP.remember(context(repository, **fields))
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "Write exactly one of `merge`, `write`, `replace` and `revert`"),
        ({"merge": "a", "write": {"b": "c"}}, "Write exactly one of"),
        ({"write": {"b": "c"}, "commit": "0123456"}, "`commit` belongs to `merge`"),
        ({"write": {"../b": "c"}}, "../b is not a file of the repository"),
        ({"write": {".git/hooks/x": "c"}}, "is not a file of the repository"),
    ],
)
def test_a_mistake_in_the_ticket(fields: dict[str, Any], message: str) -> None:
    """It is found when the ticket is read."""
    with pytest.raises(ValidationError) as raised:
        step(**fields)
    assert message in str(raised.value)


def test_a_commit_of_somebody_else_is_reverted_and_undo_brings_it_back(repository: Path) -> None:
    """With a commit on top of it that stays; both are real commits."""
    unwanted = commit(repository, "version", "9")
    commit(repository, "other", "stays")
    revert = step(name="Revert", connection="example_config", revert=unwanted)
    here = context(repository)
    remembered = revert.remember(here)
    revert.apply(here, remembered)
    assert (git(repository, "show", "main:version"), git(repository, "show", "main:other")) == ("1", "stays")
    assert revert.does() == f"git revert of {unwanted[:12]} on main of example_config, push"
    revert.undo(here, remembered)
    revert.undo(here, remembered)
    assert (git(repository, "show", "main:version"), git(repository, "show", "main:other")) == ("9", "stays")


def test_what_the_branch_does_not_contain_is_not_reverted(repository: Path) -> None:
    """The step is refused before anything is pushed."""
    other = git(repository, "rev-parse", "release/v2.15.0")
    revert = step(name="Revert", connection="example_config", revert=other)
    here = context(repository)
    with pytest.raises(StepFailed, match=f"main does not contain {other[:12]}; there is nothing to revert"):
        revert.apply(here, revert.remember(here))
