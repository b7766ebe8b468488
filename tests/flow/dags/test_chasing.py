"""Housekeeping checks workarounds on their day, chases follow-ups, and tells of habits: each once."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from changewindow.flow.dags.chasing import Chase
from changewindow.flow.dags.retroactive import requests_of
from changewindow.ledger import changes, emergencies, events, reviews
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import FollowedUp, MessageSent, ReviewAsked, Reviewed, Started
from changewindow.ledger.payloads.emergency import FollowUp, Skipped
from changewindow.policy.aftercare import Aftercare
from support.declarations import declaration
from support.task_instance import TaskInstance
from support.tickets import banner

NOW, DAY = datetime.now(UTC), timedelta(days=1)
AT = NOW - 5 * DAY


def emergency(ledger: Ledger, number: int, at: datetime = AT, **said: Any) -> str:
    """Let an emergency have acted, and ended."""
    event = declaration(at, **{"broken": "no orders", "executor": "erin", "due": NOW + DAY, **said})
    made = emergencies.declare(ledger, banner(), event, person="alice", now=at, origin=f"emergency_change/{number}")
    started = Started(run="run", digest=made.digest, mode="run", token=1, targets=("production/orders",))
    events.record(ledger, Event(made.change, "run", at, started))
    changes.close(ledger, made.change, run="run", outcome="completed", reason="", now=at)
    return made.change


def swept_by(here: TaskInstance) -> Any:
    """Return the context of a sweep."""
    return {"ti": here, "run_id": "scheduled", "params": {}, "dag_run": SimpleNamespace(run_type="scheduled")}


def sweep(**options: Any) -> list[str]:
    """Sweep as housekeeping does; return the runs that it asks for."""
    asked = Chase(task_id="chase", **options).execute(swept_by(TaskInstance("chase", dag="housekeeping")))
    return [request["trigger_run_id"] for request in asked]


def reminded(ledger: Ledger, change: str) -> list[str]:
    """Return of what people were told besides the approval that is owed."""
    told = [getattr(events.payload(row), "about", "") for row in events.history(ledger, change, EventKind.REMINDED)]
    return [about for about in told if about != "approval"]


@pytest.fixture
def owned(known: Ledger, tmp_path: Path) -> Ledger:
    """Return a ledger; dora owns the service."""
    service = "{owners: [dora], environments: [production]}"
    (tmp_path / "policy" / "services.yaml").write_text(f"services:\n  orders: {service}\n")
    return known


def test_a_workaround_and_follow_ups_are_chased_until_they_are_gone(
    owned: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """The message of the workaround has the undo that would take it away, and calls the owner too."""
    change = emergency(owned, 1, workaround_until=NOW - DAY / 2)
    events.record(owned, Event(change, "housekeeping", AT, ReviewAsked(because="emergency", due=NOW + DAY)))
    todo = (FollowUp(what="alert earlier", owner="bob", due=NOW - DAY / 4), FollowUp(what="larger pool"))
    said = Reviewed(digest="", what_happened="The pool was full", follow_ups=todo)
    reviews.review(owned, change, said, person="dora", now=AT)
    with caplog.at_level(logging.INFO):
        sweep()
        sweep()
    assert reminded(owned, change) == ["workaround", "follow_up:1", "follow_up:2"]
    assert "@erin, @dora: submit a ticket that takes it back (Rollback: banner off (< 1 minute))" in caplog.text
    assert caplog.text.count("📌 FOLLOW-UP OVERDUE since") == caplog.text.count("📌 FOLLOW-UP WITHOUT OWNER") == 1
    for about in ("workaround", "follow_up:1"):
        reviews.follow_up(owned, change, FollowedUp(about=about, reason="It is done"), person="bob", now=NOW)
    sweep()
    assert len(reminded(owned, change)) == 3


def test_a_habit_is_told_with_the_newest_emergency(owned: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """Once, to the owner of the service."""
    known = [emergency(owned, number, AT + timedelta(hours=number)) for number in range(3)]
    with caplog.at_level(logging.INFO):
        sweep()
        sweep()
    assert [reminded(owned, change) for change in known] == [[], [], ["habit:repeated:production/orders"]]
    assert caplog.text.count("🔁 THIS IS NOT AN EMERGENCY") == 1
    assert "@dora: make it a standard change" in caplog.text


def sent(ledger: Ledger, change: str) -> list[str]:
    """Return the first line of each message about a change."""
    return [message.text.partition("\n")[0] for message in events.past(ledger, change, MessageSent)]


def test_whose_approval_was_skipped_is_told_whatever_became_of_the_run(owned: Ledger) -> None:
    """Whoever marks the task that tells it, or declares from a terminal, keeps nobody from knowing; it is told once."""
    skips = (Skipped(code="nobody_approved", sentence="nobody has approved it", people=("bob",)),)
    silent = emergency(owned, 1, skipped=skips)
    fresh = emergency(owned, 2, at=datetime.now(UTC), skipped=skips)
    for _ in range(2):
        sweep()
    heads = [f"🚒 EMERGENCY: {silent} Switch the banner on.", f"⏭️ SKIPPED by {silent}, declared an emergency by @alice"]
    assert [head for head in sent(owned, silent) if head in heads] == heads
    assert "(@bob)" in "".join(message.text for message in events.past(owned, silent, MessageSent))
    assert not any("SKIPPED" in head for head in sent(owned, fresh))


def test_a_room_that_takes_its_time_keeps_no_question_from_being_opened(owned: Ledger) -> None:
    """Whom there was no time to tell is told in the next sweep."""
    late = [emergency(owned, number, due=NOW - DAY) for number in range(2)]
    assert sweep(telling=timedelta(0)) == [f"asks_about_{change}" for change in late]
    assert [events.history(owned, change, EventKind.REMINDED) for change in late] == [[], []]
    sweep()
    assert all(events.history(owned, change, EventKind.REMINDED) for change in late)


def test_of_very_many_questions_a_part_is_opened_and_then_the_next() -> None:
    """Airflow triggers none of more than 1,024; those that are open already are not asked for again, in few looks."""
    changes_ = [f"CHG-{number}" for number in range(1001, 1451)]
    every = [Aftercare(change, "record", "", "", (), began=AT, requester="alice", due=NOW + DAY) for change in changes_]
    here, opened = TaskInstance("chase", dag="housekeeping"), list[str]()
    for _ in range(4):
        runs = [request["trigger_run_id"] for request in requests_of(swept_by(here), every)]
        here.others |= {run: TaskInstance() for run in runs}
        opened.append(f"{len(runs)} from {min(runs, default='none')}")
    assert opened == [
        "200 from asks_about_CHG-1001",
        "200 from asks_about_CHG-1201",
        "50 from asks_about_CHG-1401",
        "0 from none",
    ]
