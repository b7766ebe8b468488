"""Interventions: what a person asks for is done in the ledger, in their name, or refused with its reason."""

import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from changewindow.changes.extensions import open_extensions
from changewindow.flow.dags.extending import build_extend_dag
from changewindow.flow.dags.interventions import (
    CHANGE,
    REASON,
    Do,
    abort,
    build_intervention,
    cancel,
    release,
    stop_the_line,
)
from changewindow.flow.own_dag import OWN_DAGS
from changewindow.flow.server.run_notes import is_ours
from changewindow.ledger import changes, events, leases, payloads, stops
from changewindow.ledger.database import Ledger
from support.changes import NOW, approved, intent
from support.task_instance import TaskInstance
from support.tickets import banner

TARGET = "production/orders"


def do(act: Do, person: str = "dora", noted: TaskInstance | None = None, **params: Any) -> str:
    """Intervene as a person who has filled in a form; the note of the run is left with `noted`."""
    operator: Any = build_intervention("intervene", "For the test.", {"change": CHANGE, "reason": REASON}, act).tasks[0]
    run = SimpleNamespace(triggering_user_name=person, run_type="manual")
    given = {"reason": "it smells of smoke", **params}
    done: str = operator.execute({"dag_run": run, "params": given, "ti": noted or TaskInstance()})
    return done


@pytest.fixture
def waiting(known: Ledger) -> str:
    """Return a change that is approved and waits for its window."""
    return approved(known, banner()).change


@pytest.fixture
def acting(known: Ledger) -> str:
    """Return a change that acts."""
    submitted = approved(known, banner())
    leases.start(known, submitted.change, intent(submitted.digest), targets=(TARGET,), now=NOW)
    return submitted.change


def test_a_change_that_waits_is_cancelled(known: Ledger, waiting: str, caplog: pytest.LogCaptureFixture) -> None:
    """Its people are told by whom and why, which here stands in the log."""
    with caplog.at_level(logging.INFO):
        assert do(cancel, change=waiting) == f"{waiting} is cancelled"
    change = changes.get(known, waiting)
    assert (change.status, change.reason) == ("cancelled", "cancelled by dora: it smells of smoke")
    assert "cancelled by dora: it smells of smoke" in caplog.text


def test_the_note_of_a_run_says_what_was_done_or_why_not(known: Ledger, waiting: str) -> None:
    """All runs of an intervention look alike in Airflow's lists."""
    noted = TaskInstance()
    do(cancel, noted=noted, change=waiting)
    assert noted.left["note"] == f"dora: {waiting} is cancelled"
    with pytest.raises(AirflowFailException):
        do(release, noted=noted, target=TARGET)
    assert noted.left["note"] == f"{TARGET}: nobody holds it. There is nothing to release. [not_held]"
    assert all(is_ours(dag) for dag in (*OWN_DAGS, waiting))


def test_a_change_that_acts_is_not_cancelled(known: Ledger, acting: str) -> None:
    """The person learns what to do instead."""
    with pytest.raises(AirflowFailException, match="run abort_change"):
        do(cancel, change=acting)
    assert changes.get(known, acting).status == "running"


def test_an_abort_ends_whatever_the_change_does(known: Ledger, waiting: str) -> None:
    """One that waits is cancelled."""
    assert do(abort, change=waiting) == f"{waiting} had not acted; it is cancelled"
    assert changes.get(known, waiting).status == "cancelled"


def test_an_abort_of_a_change_that_acts_is_for_its_own_run(known: Ledger, acting: str) -> None:
    """That run rolls it back."""
    assert do(abort, change=acting).startswith(f"{acting} stops now")
    change = changes.get(known, acting)
    assert (change.status, change.aborted) == ("running", "aborted by dora: it smells of smoke")


def test_a_target_that_a_failed_rollback_has_kept_is_released(known: Ledger, acting: str) -> None:
    """By a person who has put it in order."""
    with pytest.raises(AirflowFailException):
        do(release, target=TARGET)
    changes.close(known, acting, run="run-1", outcome="rollback_failed", reason="no", now=NOW)
    assert do(release, target=TARGET) == f"{TARGET} is free; it was held by {acting}"
    assert leases.leases(known, acting) == []


def test_the_line_is_stopped_and_lifted(known: Ledger) -> None:
    """Nothing starts until then, or until the hours are over."""
    do(stop_the_line, action="stop", hours=2)
    now = datetime.now(UTC)
    [stopped] = stops.in_force(known, now)
    assert stopped.person == "dora"
    assert stops.in_force(known, now + timedelta(hours=3)) == ()
    assert do(stop_the_line, action="lift").startswith("the line runs again. Lifted: stopped by dora until ")
    assert do(stop_the_line, action="lift") == "the line was not stopped; nothing had to be lifted"


class Extension:
    """An extension that alice asks for."""

    def __init__(self, ledger: Ledger, change: str) -> None:
        self.dag, self.change, self.ledger = build_extend_dag(), change, ledger
        self.closes = changes.get(ledger, change).closes + timedelta(hours=1)
        self.task_instance = TaskInstance()

    def context(self, end: str) -> Any:
        """Return what Airflow gives to the tasks."""
        run = SimpleNamespace(triggering_user_name="alice", run_type="manual")
        params = {"change": self.change, "end": end, "reason": "it takes longer"}
        task = self.task_instance
        return {"dag_run": run, "run_id": "manual", "params": params, "ti": task, "task_instance": task}

    @property
    def asked_for(self) -> list[datetime]:
        """Return the later ends that somebody has to allow or to refuse."""
        rows = events.history(self.ledger, self.change)
        return [asked.later for asked in open_extensions(rows)]

    @property
    def note(self) -> str:
        """Return what the note of its run says."""
        return str(self.task_instance.left["note"])

    def check(self, end: str = "") -> None:
        """Ask for it."""
        check: Any = self.dag.get_task("check")
        check.execute(self.context(end or self.closes.isoformat()))

    def answer(self, by: str, option: str = "Extend", **more: Any) -> None:
        """Answer it."""
        self.check()
        user = {"id": by, "name": by} if by else None
        given = {"chosen_options": [option], "params_input": {}, "responded_at": NOW, "responded_by_user": user}
        approve: Any = self.dag.get_task("approve")
        approve.execute_complete(self.context(self.closes.isoformat()), {**given, **more})


@pytest.fixture
def extension(known: Ledger, acting: str) -> Extension:
    """Return an extension by an hour."""
    return Extension(known, acting)


def test_somebody_else_extends_a_window(known: Ledger, extension: Extension) -> None:
    """Then the change may act until the new end; the note of the run says so, and whom it waits for until then."""
    extension.check()
    until = f"{extension.change} until {extension.closes:%Y-%m-%d %H:%M} UTC"
    assert extension.note == f"alice asks for {until}; bob or carol or erik has to say yes"
    assert extension.asked_for == [extension.closes]
    extension.answer("bob")
    assert len(events.past(known, extension.change, payloads.ExtensionAsked)) == 1, "it is checked twice here"
    assert extension.asked_for == []
    assert changes.get(known, extension.change).closes == extension.closes
    assert extension.note.endswith("UTC, as bob allows: it takes longer")


@pytest.mark.parametrize(
    ("by", "option", "more", "why"),
    [
        pytest.param("alice", "Extend", {}, "somebody else has to say yes", id="who asks for it"),
        pytest.param("", "Extend", {}, "somebody else has to say yes", id="nobody"),
        pytest.param("zoe", "Extend", {}, "zoe may not approve it; ask bob, carol, erik", id="who may not"),
        pytest.param("bob", "Do not extend", {}, "bob said no", id="a no"),
        pytest.param("", "", {"error": "late", "error_type": "timeout"}, "Nobody answered in time", id="no answer"),
    ],
)
def test_a_window_stays_as_it_is(
    known: Ledger, extension: Extension, *, by: str, option: str, more: dict[str, str], why: str
) -> None:
    """Without the yes of somebody who may say it; whoever asked reads why in the note of the run."""
    before = changes.get(known, extension.change).closes
    with pytest.raises(AirflowFailException, match=why):
        extension.answer(by, option, **more)
    assert changes.get(known, extension.change).closes == before
    assert why in extension.note
    assert extension.asked_for == []
    [refused] = events.past(known, extension.change, payloads.ExtensionRefused)
    assert why in refused.reason


@pytest.mark.parametrize(
    ("end", "why"),
    [
        pytest.param(NOW.isoformat(), "Name a later end than that", id="not later"),
        pytest.param("half past three", "'half past three' is not a time like 2031-03-18T03:12", id="no time"),
    ],
)
def test_an_end_that_cannot_be_is_refused_before_anybody_is_asked(extension: Extension, end: str, why: str) -> None:
    """The person reads in the note of the run what is wrong with it."""
    with pytest.raises(AirflowFailException, match=why):
        extension.check(end)
    assert why in extension.note
    assert extension.asked_for == []


def test_an_extension_of_what_is_over_is_asked_for_no_longer(known: Ledger, extension: Extension) -> None:
    """The question disappears, and the window stays as it is."""
    before = changes.get(known, extension.change).closes
    with pytest.raises(AirflowFailException, match=r"it is closed\. Its window stays as it is"):
        extension.answer("", "", verdict="over", reason="it is closed")
    assert changes.get(known, extension.change).closes == before
