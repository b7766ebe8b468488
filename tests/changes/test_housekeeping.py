"""What nobody else will end is found, and never while a run may still end it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.event import listen, remove

from changewindow.changes import housekeeping
from changewindow.changes.extensions import open_extensions
from changewindow.changes.publication import publish
from changewindow.ledger import changes, events, leases
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Revision
from changewindow.ledger.payloads import ExtensionAsked, RunDied
from support.changes import NOW, approved, intent

LATE = NOW + timedelta(hours=2)


def nobody(change: str, run: str | None) -> bool:
    """Say that no run lives."""
    return False


def somebody(change: str, run: str | None) -> bool:
    """Say that every run lives."""
    return True


@pytest.fixture
def acting(ledger: Ledger, ticket_data: dict[str, Any]) -> str:
    """Return a change that acts."""
    submitted = approved(ledger, ticket_data)
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=("production/orders",), now=NOW)
    return submitted.change


def test_an_orphaned_change_is_found(ledger: Ledger, acting: str) -> None:
    """It is found again until another run rolls the change back; that its run died is recorded once."""
    assert housekeeping.orphaned(ledger, somebody, NOW) == []
    assert [change.run for change in housekeeping.orphaned(ledger, nobody, NOW)] == ["run-1"]
    assert [change.run for change in housekeeping.orphaned(ledger, nobody, NOW)] == [None]
    assert events.past(ledger, acting, RunDied) == [RunDied(run="run-1")]
    assert housekeeping.orphaned(ledger, lambda _, run: run is None, NOW) == []


def test_a_longer_window_that_nobody_can_allow_any_more_is_refused(ledger: Ledger, acting: str) -> None:
    """Somebody has ended the run that asks; another one still waits, and so does its question."""
    later = changes.get(ledger, acting).closes + timedelta(hours=1)
    asked = {"later": later, "reason": "it takes longer", "people": ("bob",), "by": "alice"}
    for run in ("extend_window/1", "extend_window/2"):
        events.record(ledger, events.Event(acting, "alice", NOW, ExtensionAsked(run=run, **asked)))
    assert housekeeping.unanswered(ledger, somebody, NOW) == []
    assert housekeeping.unanswered(ledger, lambda _, run: run == "2", NOW) == [f"extend_window/1 of {acting}"]
    assert [each.run for each in open_extensions(events.history(ledger, acting))] == ["extend_window/2"]
    assert housekeeping.unanswered(ledger, lambda _, run: run == "2", NOW) == []
    changes.close(ledger, acting, run="run-1", outcome="completed", reason="done", now=NOW)
    assert housekeeping.unanswered(ledger, nobody, NOW) == []


def test_a_window_without_a_run_is_missed(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """Engine down across the window and back, or a DAG that stayed paused: nothing runs late, and it is said."""
    submitted = approved(ledger, ticket_data)
    other = changes.submit(ledger, {**ticket_data, "details": "x"}, requester="alice", now=NOW)
    assert housekeeping.missed(ledger, nobody, NOW) == []
    missed = housekeeping.missed(ledger, nobody, LATE)
    assert [(change.id, change.status) for change in missed] == [(submitted.change, "missed"), (other.change, "missed")]
    assert [change.reason.split(";")[0] for change in missed] == [
        "no run of it started in its window",
        "nobody approved it in time",
    ]
    assert events.history(ledger, submitted.change)[-1].actor == "housekeeping"
    assert housekeeping.missed(ledger, nobody, LATE) == []


def test_a_stuck_run_does_not_hide_that_its_window_passed(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """Its DAG is paused, and nobody else would say it."""
    approved(ledger, ticket_data)
    assert [change.reason.split(";")[0] for change in housekeeping.missed(ledger, somebody, LATE)] == [
        "its run was stuck"
    ]


def test_a_paused_change_that_acts_is_found(ledger: Ledger, acting: str, ticket_data: dict[str, Any]) -> None:
    """One that only waits may be paused."""
    approved(ledger, {**ticket_data, "details": "x"})
    assert housekeeping.frozen(ledger, lambda _: True) == [acting]
    assert housekeeping.frozen(ledger, lambda _: False) == []


def test_missing_files_are_found(ledger: Ledger, acting: str, ticket_data: dict[str, Any], tmp_path: Path) -> None:
    """After a crash between ledger and bundle, or a file that somebody removed, or replaced by another text."""
    submitted = approved(ledger, {**ticket_data, "details": "x"})
    changes.submit(ledger, {**ticket_data, "details": "y"}, requester="alice", now=NOW)
    assert housekeeping.unpublished(ledger, tmp_path, NOW) == [acting, submitted.change]
    publish(tmp_path, acting, ticket_data, ledger.seal)
    assert housekeeping.unpublished(ledger, tmp_path, NOW) == [submitted.change]
    publish(tmp_path, submitted.change, ticket_data, ledger.seal)
    assert housekeeping.unpublished(ledger, tmp_path, NOW) == [submitted.change]


def test_what_may_still_be_rolled_back_is_published(ledger: Ledger, acting: str, tmp_path: Path) -> None:
    """A day long; what a terminal has carried out had no file before."""
    changes.close(ledger, acting, run="run-1", outcome="completed", reason="", now=NOW)
    assert housekeeping.unpublished(ledger, tmp_path, NOW + timedelta(hours=23)) == [acting]
    assert housekeeping.unpublished(ledger, tmp_path, NOW + timedelta(hours=25)) == []


def test_whether_many_are_published_is_asked_once(ledger: Ledger, ticket_data: dict[str, Any], tmp_path: Path) -> None:
    """The texts of all come in one statement; one that was altered in the ledger keeps no other from being found."""
    waiting = [approved(ledger, {**ticket_data, "details": str(number)}).change for number in range(30)]
    for change in waiting[:-1]:
        publish(tmp_path, change, changes.revision(ledger, change), ledger.seal)
    with ledger.transaction() as session:
        session.execute(update(Revision).where(Revision.number == int(waiting[3][4:])).values(text="{"))
    asked: list[str] = []

    def note(*event: Any) -> None:
        asked.append(event[2])

    listen(Engine, "before_cursor_execute", note)
    try:
        assert housekeeping.unpublished(ledger, tmp_path, NOW) == [waiting[3], waiting[-1]]
    finally:
        remove(Engine, "before_cursor_execute", note)
    assert len([statement for statement in asked if "SELECT" in statement]) == 2


def test_stale_files_are_found(ledger: Ledger, acting: str, tmp_path: Path) -> None:
    """A day after the change closed, and only when no run of it is open; other files are left alone."""
    for name in (acting, "CHG-77", "notes"):
        (tmp_path / f"{name}.json").touch()
    after = NOW + timedelta(days=1, minutes=1)
    assert housekeeping.stale(ledger, nobody, tmp_path, after) == []
    changes.close(ledger, acting, run="run-1", outcome="completed", reason="", now=NOW)
    assert housekeeping.stale(ledger, nobody, tmp_path, NOW + timedelta(hours=23)) == []
    assert housekeeping.stale(ledger, somebody, tmp_path, after) == []
    assert [path.stem for path in housekeeping.stale(ledger, nobody, tmp_path, after)] == [acting]


def test_many_files_are_one_question(ledger: Ledger, acting: str, tmp_path: Path) -> None:
    """A thousand files cost one statement; the id of each stands in it."""
    for number in range(1000):
        (tmp_path / f"CHG-{number + 5000}.json").touch()
    (tmp_path / f"{acting}.json").touch()
    changes.close(ledger, acting, run="run-1", outcome="completed", reason="", now=NOW)
    asked: list[str] = []

    def note(*event: Any) -> None:
        asked.append(event[2])

    listen(Engine, "before_cursor_execute", note)
    try:
        stale = housekeeping.stale(ledger, nobody, tmp_path, NOW + timedelta(days=2))
    finally:
        remove(Engine, "before_cursor_execute", note)
    assert [path.stem for path in stale] == [acting]
    assert len([statement for statement in asked if statement.startswith("SELECT")]) == 1


def test_a_failed_rollback_keeps_its_file(ledger: Ledger, acting: str, tmp_path: Path) -> None:
    """A person may still want to roll it back by its own run."""
    (tmp_path / f"{acting}.json").touch()
    changes.close(ledger, acting, run="run-1", outcome="rollback_failed", reason="", now=NOW)
    assert housekeeping.stale(ledger, nobody, tmp_path, NOW + timedelta(days=9)) == []
