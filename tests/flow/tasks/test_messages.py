"""The message tasks of a change: each speaks of its moment, and says so when that is over."""

import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from changewindow.changes.handover import Closed
from changewindow.flow import posting
from changewindow.flow.tasks import messages
from changewindow.ledger import events, payloads
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.events import Event
from support.declarations import declaration
from support.started_change import StartedChange

NOW = datetime.now(UTC)
DECLARED = declaration(NOW)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let four and a half minutes pass before a message task begins, as in a burst."""
    monkeypatch.setattr(messages, "now", lambda: datetime.now(UTC) + timedelta(minutes=4, seconds=30))
    monkeypatch.setattr(posting, "now", messages.now)


def said(caplog: pytest.LogCaptureFixture) -> str:
    """Return what was posted."""
    return "\n".join(record.getMessage() for record in caplog.records)


@pytest.mark.usefixtures("later")
def test_an_announcement_that_had_to_wait_says_so(started: StartedChange, caplog: pytest.LogCaptureFixture) -> None:
    """It speaks of the moment at which the change passed its gate."""
    with caplog.at_level(logging.INFO):
        started.do("announce")
    assert f"🔄 DEPLOYING: {started.change.id} " in said(caplog)
    assert "(said 4 min late: " in said(caplog)


@pytest.mark.usefixtures("later")
def test_a_report_that_had_to_wait_says_so(started: StartedChange, caplog: pytest.LogCaptureFixture) -> None:
    """It speaks of the moment at which the change was closed."""
    at = datetime.now(UTC)
    started.hand_over("close", Closed(outcome="completed", reason="all good", at=at, is_news=True))
    run = started.run("report")
    run.context["dag_run"] = DagRun()
    with caplog.at_level(logging.INFO):
        operator: Any = started.dag.get_task("report")
        operator.execute(run.context)
    assert f"✅ COMPLETE: {started.change.id} " in said(caplog)
    assert f"(said 4 min late: {at:%H:%M:%S} UTC)" in said(caplog)


def test_the_last_message_of_an_emergency_says_whether_it_is_restored(
    started: StartedChange, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever commands it reads that service is restored, and what is owed now."""
    run = started.run("report")
    asked = payloads.ReviewAsked(because="emergency", due=NOW + timedelta(days=7))
    for event in (DECLARED, asked):
        events.record(run.ledger, Event(started.change.id, "alice", NOW, event))
    started.hand_over("close", Closed(outcome="completed", reason="all good", at=NOW, is_news=True))
    run.context["dag_run"] = DagRun()
    with caplog.at_level(logging.INFO):
        operator: Any = started.dag.get_task("report")
        operator.execute(run.context)
    assert f"✅ RESTORED: {started.change.id} " in said(caplog)
    assert "Owed: review by " in said(caplog)


def test_a_drill_is_announced_as_one(started: StartedChange, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody takes it for a change of something that is needed."""
    drill = DECLARED.model_copy(update={"is_drill": True})
    events.record(started.run("announce").ledger, Event(started.change.id, "alice", NOW, drill))
    with caplog.at_level(logging.INFO):
        started.do("announce")
    assert f"🧪 DRILL, nothing is broken: 🔄 DEPLOYING: {started.change.id} " in said(caplog)


def test_what_is_said_at_once_says_nothing_of_it(started: StartedChange, caplog: pytest.LogCaptureFixture) -> None:
    """As it nearly always is."""
    with caplog.at_level(logging.INFO):
        started.do("announce")
    assert "🔄 DEPLOYING" in said(caplog)
    assert "late" not in said(caplog)


def test_a_rollback_is_not_announced_as_a_deployment(started: StartedChange, caplog: pytest.LogCaptureFixture) -> None:
    """At three in the morning, the channel reads what happens, who wants it, and why."""
    run = started.run("announce")
    run.context["params"] = {"mode": "rollback", "reason": "it leaks memory"}
    run.context["dag_run"] = SimpleNamespace(triggering_user_name="bob", run_type="manual", start_date=None)
    with caplog.at_level(logging.INFO):
        operator: Any = started.dag.get_task("announce")
        operator.execute(run.context)
    assert f"⏪ ROLLING BACK by @bob: {started.change.id} " in said(caplog)
    assert "Why: it leaks memory" in said(caplog)
    assert "DEPLOYING" not in said(caplog)


def test_what_was_said_is_an_event(started: StartedChange) -> None:
    """Whoever reads the record later reads what people have read."""
    started.do("announce")
    [row] = events.history(started.ledger, started.change.id, EventKind.MESSAGE_SENT)
    sent = events.payload(row)
    assert isinstance(sent, payloads.MessageSent)
    assert (sent.room, sent.channel) == (started.change.ticket.post_change.notify, "log")
    assert sent.text.startswith(f"🔄 DEPLOYING: {started.change.id} ")


def test_what_is_said_outside_a_run_is_an_event_too(started: StartedChange) -> None:
    """As when a person cancels a change, or its DAG is paused."""
    posting.post("🚨 it is paused", datetime.now(UTC), change=started.change.id)
    [row] = events.history(started.ledger, started.change.id, EventKind.MESSAGE_SENT)
    assert events.data(row) == {"room": "#deploys", "text": "🚨 it is paused", "channel": "log"}


class DagRun:
    """What Airflow knows of the run."""

    start_date = None
