"""The step git_change, on a real repository."""

from pathlib import Path

import pytest

from changewindow.connection import Connection
from changewindow.context import Context
from changewindow.steps.git_change import EXAMPLE, Step
from worlds.git_change import git
from worlds.git_change import repository as made

STEP = Step.model_validate({key: value for key, value in EXAMPLE.items() if key != "kind"})


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with a release on a branch of its own."""
    return made(tmp_path / "config")


def context(repository: Path, step: int = 1) -> Context:
    """Return what a step of a change may use."""
    return Context("CHG-1001", step, lambda name: Connection(name, "git", host=str(repository)), print)


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


def test_undo_of_step_1_leaves_step_12_alone(repository: Path) -> None:
    """The mark of a step is matched whole: the merge of step 12 is not the one of step 1."""
    remembered = STEP.remember(context(repository))
    STEP.apply(context(repository, 12), remembered)
    STEP.undo(context(repository, 1), remembered)
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
