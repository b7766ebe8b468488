"""What a change owes after it has acted is shown wherever the change is."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from changewindow.changes.owed import owes
from changewindow.cli.main import main
from changewindow.ledger import changes, emergencies, events, leases, owing
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import ReviewAsked, Reviewed
from changewindow.ledger.payloads.emergency import FollowUp
from changewindow.policy.aftercare import Aftercare
from support.changes import intent
from support.declarations import declaration
from support.tampering import tamper
from support.tickets import banner

Capture = pytest.CaptureFixture[str]
THEN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
DUE = THEN + timedelta(days=1)
"""Long ago for the commands, which ask the clock."""
OVERDUE = f"retroactive approval OVERDUE since {DUE:%Y-%m-%d %H:%M} UTC, from anybody but alice, carol"
DECLARED = declaration(THEN)


@pytest.fixture
def emergency(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return an emergency that was completed, and that nobody has approved or reviewed."""
    monkeypatch.setenv("COLUMNS", "300")
    start, end = (f"{moment:%Y-%m-%d %H:%M}" for moment in (THEN, THEN + timedelta(hours=1)))
    data = banner(window={"zone": "UTC", "start": start, "end": end})
    submitted = emergencies.declare(ledger, data, DECLARED, person="alice", now=THEN, origin="emergency/1")
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=("production/orders",), now=THEN)
    changes.close(ledger, submitted.change, run="run-1", outcome="completed", reason="all good", now=THEN)
    asked = ReviewAsked(because="emergency", due=THEN + timedelta(days=7))
    events.record(ledger, Event(submitted.change, "run-1/close", THEN, asked))
    return submitted.change


@pytest.mark.parametrize(
    "arguments", [("history", "{}"), ("history",), ("explain", "{}"), ("follow", "{}", "--once")], ids=" ".join
)
def test_what_is_owed_stands_on_one_line(
    ledger: Ledger, emergency: str, arguments: tuple[str, ...], capsys: Capture
) -> None:
    """Whoever looks at the change sees that nobody has approved it, since when, and that its review is to come."""
    changes.submit(ledger, banner(services=["payments"]), requester="alice", now=THEN)  # it owes nothing
    main([*(part.format(emergency) for part in arguments), "--ledger", str(ledger.url)])
    owing_lines = [line.strip() for line in capsys.readouterr().out.splitlines() if "owes: " in line]
    assert owing_lines == [f"owes: {OVERDUE}; review by {THEN + timedelta(days=7):%Y-%m-%d %H:%M} UTC"]


@pytest.mark.parametrize("command", ["history", "explain", "follow"])
def test_programs_get_a_list(ledger: Ledger, emergency: str, command: str, capsys: Capture) -> None:
    """A dashboard counts what is owed, and need not read sentences apart."""
    main([command, emergency, "--json", "--ledger", str(ledger.url)])
    assert json.loads(capsys.readouterr().out)["owes"][0] == OVERDUE


def test_what_was_followed_up_is_owed_no_more(ledger: Ledger, emergency: str, capsys: Capture) -> None:
    """After the review, what somebody has promised is owed; without owner, that is said loudly."""
    follow_ups = (FollowUp(what="alert on it", owner="bob", due=DUE), FollowUp(what="write the runbook"))
    reviewed = Reviewed(digest="", what_happened="the flag was lost", follow_ups=follow_ups)
    events.record(ledger, Event(emergency, "bob", THEN, reviewed))
    main(["history", emergency, "--json", "--ledger", str(ledger.url)])
    owes = json.loads(capsys.readouterr().out)["owes"]
    late, nobodys = "follow-up 1 OVERDUE since", "follow-up 2 without a date, WITHOUT OWNER"
    assert owes[-1] == nobodys
    assert owes[-2].startswith(late)
    assert not any("review" in part for part in owes)


def test_an_altered_record_stops_no_list(ledger: Ledger, emergency: str, capsys: Capture) -> None:
    """What it owes is not known, and that is said; the others are listed."""
    tamper(ledger, "UPDATE events SET actor = 'mallory' WHERE kind = 'declared'")
    assert main(["history", "--ledger", str(ledger.url)]) == 0
    broken = owing.of_changes(ledger, [emergency])[emergency]
    assert f"owes: not known: {broken}" in " ".join(capsys.readouterr().out.split())


def test_a_drill_owes_nothing() -> None:
    """It approves itself, and nobody is asked or chased."""
    drilled = Aftercare(
        "CHG-1", "emergency", "d" * 64, "Drill", ("staging/orders",), THEN, "alice", due=DUE, review_due=DUE
    )
    assert len(owes(drilled, THEN)) == 2
    assert owes(replace(drilled, is_drill=True), THEN) == []
