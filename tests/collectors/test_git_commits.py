"""What is in commits of our steps, in a real repository: a claim that anybody may write is compared with it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from changewindow.changes.explaining import Explanation, Scope, explain
from changewindow.changes.our_changes import Act, OurChange
from changewindow.steps.git_change import Step
from changewindow.systems.collection import Entry
from step_fixtures.git_change import git
from step_fixtures.git_change import repository as made
from support.git_changes import STEP, busy, commit, context, step
from support.looking import looked

pytestmark = pytest.mark.integration

GIT = {"kind": "git", "connection": "example_config", "service": "orders"}
MARK = "Change-Step: CHG-1001/1"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with a release on a branch of its own."""
    return made(tmp_path / "config")


async def seen(repository: Path) -> Sequence[Entry]:
    """Return all commits but the first one of all, the newest first."""
    known = context(repository).connection("example_config")
    collected = await looked(GIT, known, folder=repository.parent / "kept")
    return [entry for entry in collected.entries if entry.before]


def ours(
    made: Step, remembered: dict[str, Any], *, undoing: bool = False, began: timedelta = timedelta(0)
) -> OurChange:
    """Return the change of a step that began just now, or earlier and ended then."""
    announced = made.model_dump(mode="json", by_alias=True, exclude_unset=True)
    at = datetime.now(UTC) - began
    undone = at if undoing else None
    act = Act("CHG-1001", 1, "Tune", at, announced=announced, remembered=remembered, undoing=undone)
    return OurChange("CHG-1001", "Tune", "production", ("orders",), (act,), at if began else None)


def explained(entries: Sequence[Entry], change: OurChange) -> list[tuple[str, bool]]:
    """Return what explains each entry."""
    found: list[Explanation] = [explain(entry, Scope("production", ("orders",)), [change]) for entry in entries]
    return [(explanation.change, explanation.by_value) for explanation in found]


OURS, NOBODYS = ("CHG-1001", True), ("", False)
STEPS = {
    "a merge": STEP,
    "files": step(write={"conf/pool.yaml": "max_idle: 1\r\n", "version": "7\n"}),
    "a replaced text": step(replace={"file": "version", "old": "1", "new": "2"}),
}


@pytest.mark.parametrize("chosen", STEPS.values(), ids=STEPS.keys())
async def test_what_a_step_pushes_and_takes_back_is_its_own(repository: Path, chosen: Step) -> None:
    """The commit, those that came with a merge, and the revert while it is rolled back."""
    await seen(repository)
    here = context(repository)
    remembered = chosen.remember(here)
    change = ours(chosen, remembered)
    chosen.apply(here, remembered)
    pushed = await seen(repository)
    assert set(explained(pushed, change)) == {OURS}
    assert any("(CHG-1001/1)" in entry.what for entry in pushed)
    chosen.undo(here, remembered)
    (revert,) = [entry for entry in await seen(repository) if "Revert CHG-1001" in entry.what]
    assert explained([revert], change) == [NOBODYS]
    assert explained([revert], ours(chosen, remembered, undoing=True)) == [OURS]


async def test_a_step_that_reverts_a_commit_and_its_undo_are_its_own(repository: Path) -> None:
    """It names the commit that it takes back, and takes back that one and nothing else."""
    wrong = commit(repository, "version", "9")
    here, back = context(repository), step(revert=wrong)
    remembered = back.remember(here)
    back.apply(here, remembered)
    (revert,) = [entry for entry in await seen(repository) if "CHG-1001: Tune" in entry.what]
    assert git(repository, "show", "main:version") == "1"
    assert explained([revert], ours(back, remembered)) == [OURS]
    assert explained([revert], ours(step(revert="0" * 40), remembered)) == [NOBODYS]
    back.undo(here, remembered)
    (undone,) = [entry for entry in await seen(repository) if "Revert CHG-1001" in entry.what]
    assert explained([undone], ours(back, remembered)) == [NOBODYS]
    assert explained([undone], ours(back, remembered, undoing=True)) == [OURS]


async def test_a_merge_on_top_of_what_somebody_else_pushes_is_still_ours_and_theirs_is_not(repository: Path) -> None:
    """They are told apart, also if they come in the same look."""
    await seen(repository)
    here = busy(repository, 1)
    remembered = STEP.remember(here)
    change = ours(STEP, remembered)
    STEP.apply(here, remembered)
    whys = {entry.what.partition(": ")[2]: explained([entry], change)[0] for entry in await seen(repository)}
    assert {text.partition("; ")[0]: why for text, why in whys.items()} == {
        "by somebody else: 0": NOBODYS,
        "CHG-1001: Merge the release (CHG-1001/1)": OURS,
        "second": OURS,
    }


def evil(repository: Path, message: str, **files: str) -> None:
    """Merge the release as somebody else, with our mark, and with more in it than the release."""
    git(repository, "checkout", "-q", "main")
    git(repository, "merge", "-q", "--no-ff", "--no-commit", "release/v2.15.0")
    for name, text in files.items():
        (repository / name).write_text(text)
    git(repository, "add", ".")
    author = ("-c", "user.name=Eve", "-c", "user.email=eve@example.com")
    git(repository, *author, "commit", "-qm", message, "--author", "Eve <eve@example.com>")
    git(repository, "checkout", "-q", "--detach")


@pytest.mark.parametrize(
    ("chosen", "text"),
    [(STEP, "3"), (STEPS["files"], "8\n"), (STEPS["a replaced text"], "1, and more")],
    ids=["a merge", "files", "a replaced text"],
)
async def test_a_forged_mark_on_another_content_explains_nothing(repository: Path, chosen: Step, text: str) -> None:
    """By another author, while the step is under way: who may push may write what he likes into a message."""
    await seen(repository)
    change = ours(chosen, chosen.remember(context(repository)))
    commit(repository, "version", text)
    git(repository, "checkout", "-q", "main")
    git(repository, "commit", "-q", "--amend", "-m", f"CHG-1001: Tune\n\n{MARK}")
    git(repository, "checkout", "-q", "--detach")
    (forged,) = [entry for entry in await seen(repository) if "(CHG-1001/1)" in entry.what]
    assert explained([forged], change) == [NOBODYS]


async def test_a_forged_merge_that_holds_more_than_it_merges_explains_nothing(repository: Path) -> None:
    """Nor do the commits that came with it."""
    await seen(repository)
    change = ours(STEP, STEP.remember(context(repository)))
    evil(repository, f"CHG-1001: Merge\n\n{MARK}", backdoor="open\n")
    forged = await seen(repository)
    assert any("(CHG-1001/1)" in entry.what for entry in forged)
    assert set(explained(forged, change)) == {NOBODYS}


async def test_what_was_announced_explains_nothing_outside_of_its_time(repository: Path) -> None:
    """The very commit, an hour after the change has ended; or of another service, or another change."""
    await seen(repository)
    here = context(repository)
    remembered = STEP.remember(here)
    change = ours(STEP, remembered, began=timedelta(hours=1))
    STEP.apply(here, remembered)
    pushed = [entry for entry in await seen(repository) if entry.commit]
    assert pushed
    assert set(explained(pushed, change)) == {NOBODYS}
    now = ours(STEP, remembered, began=timedelta(seconds=1))
    assert set(explained(pushed, replace(now, services=("billing",)))) == {NOBODYS}
    other = replace(now, acts=tuple(replace(act, change="CHG-1002") for act in now.acts))
    assert set(explained(pushed, other)) == {NOBODYS}
