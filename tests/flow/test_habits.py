"""Emergencies that have become a habit are told to the owners of the target, once, and stand in the record."""

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from changewindow.changes.aftercare_sweep import Rules
from changewindow.changes.event_text import sentence
from changewindow.flow import habits
from changewindow.ledger import changes, emergencies, events, leases, owing
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.policy.emergencies import Emergencies
from support.changes import intent
from support.declarations import declaration
from support.tampering import tamper
from support.tickets import banner

NOW, DAY = datetime.now(UTC), timedelta(days=1)
RULES = Rules(Emergencies(zone="Europe/Berlin"), {"shop": ("dora",)}, {"orders": ("shop", "erik")})
TARGETS = ("production/orders",)


@pytest.fixture
def known(tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Return the ledger that Airflow knows."""
    fields = {"conn_type": "sqlite", "host": str(ledger.url.database)}
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps(fields))
    monkeypatch.setenv("CHANGEWINDOW_SPOOL", str(tmp_path / "spool.jsonl"))
    return ledger


def emergency(ledger: Ledger, days: float) -> str:
    """Let an emergency begin and end so many days ago."""
    at = NOW - days * DAY
    said = declaration(at, broken="no orders", executor="erin")
    span = {"start": f"{at - DAY:%Y-%m-%d %H:%M}", "end": f"{at + DAY:%Y-%m-%d %H:%M}"}
    ticket = banner(window={"zone": "UTC", **span})
    made = emergencies.declare(ledger, ticket, said, person="alice", now=at, origin=f"emergency_change/{days}")
    leases.start(ledger, made.change, intent(made.digest), targets=TARGETS, now=at)
    changes.close(ledger, made.change, run="run-1", outcome="completed", reason="", now=at)
    return made.change


def tell(ledger: Ledger) -> None:
    """Sweep as housekeeping does."""
    habits.tell(ledger, owing.of_targets(ledger, TARGETS, NOW - 400 * DAY), RULES)


def reminders(ledger: Ledger, change: str) -> list[str]:
    """Return what the record says of it."""
    return [sentence(events.payload(row)) for row in events.history(ledger, change, EventKind.REMINDED)]


def test_the_third_emergency_is_told_once_to_the_owners(known: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """And each one after it once more; a restart tells nothing again."""
    for days in (20, 11):
        emergency(known, days)
    tell(known)
    assert "HABIT" not in caplog.text.upper()
    third = emergency(known, 3)
    with caplog.at_level(logging.INFO):
        tell(known)
        tell(known)
    assert (
        caplog.text.count("🔁 THIS IS NOT AN EMERGENCY, it is a habit: production/orders: 3 emergencies within 30") == 1
    )
    assert "@dora, @erik: make it a standard change" in caplog.text
    assert reminders(known, third) == ["told dora, erik that emergencies of production/orders have become a habit"]
    fourth = emergency(known, 1)
    [note] = habits.tell_of(known, fourth, RULES)
    assert note.startswith("production/orders: 4 emergencies within 30 days (CHG-1001, CHG-1002, CHG-1003, CHG-1004). ")
    tell(known)
    assert len(reminders(known, fourth)) == 1
    assert len(reminders(known, third)) == 1


def test_the_same_hour_each_week_is_told_too(known: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """By the clock of the policy's zone."""
    last = [emergency(known, days) for days in (14, 7, 0)][-1]
    with caplog.at_level(logging.INFO):
        tell(known)
    assert "in 3 of the last 4 weeks" in caplog.text
    assert len(habits.tell_of(known, last, RULES)) == 2
    assert habits.tell_of(known, changes.submit(known, banner(), requester="a", now=NOW).change, RULES) == []


def test_what_cannot_be_known_makes_no_emergency_red(known: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """An earlier emergency was altered: the log says so, and the note says nothing."""
    last = [emergency(known, days) for days in (14, 7, 0)][-1]
    tamper(known, "UPDATE events SET actor = 'mallory' WHERE number = 1001 AND sequence = 1")
    assert habits.tell_of(known, last, RULES) == []
    assert f"whether {last} is a habit is not known" in caplog.text
