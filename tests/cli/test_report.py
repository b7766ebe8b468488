"""What `changewindow report emergencies` prints."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from changewindow.cli.main import main
from changewindow.cli.report import drill_lines
from changewindow.ledger import changes, emergencies, events, leases, records
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import Drilled
from changewindow.policy.emergencies import Emergencies
from changewindow.policy.population import Drill
from support.changes import intent
from support.declarations import declaration
from support.manual_changes import manual
from support.tampering import tamper
from support.tickets import banner

Capture = pytest.CaptureFixture[str]
THEN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
"""Within the time of a report, whose end the clock says."""


def emergency(ledger: Ledger, number: int, *, incident: str = "", is_drill: bool = False) -> str:
    """Return an emergency that was completed."""
    at = THEN + timedelta(hours=number)
    start, end = (f"{moment:%Y-%m-%d %H:%M}" for moment in (at, at + timedelta(hours=1)))
    data = banner(window={"zone": "UTC", "start": start, "end": end})
    declared = declaration(at, incident=incident, is_drill=is_drill)
    submitted = emergencies.declare(ledger, data, declared, person="alice", now=at, origin=f"emergency/{number}")
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=("production/orders",), now=at)
    changes.close(ledger, submitted.change, run="run-1", outcome="completed", reason="good", now=at)
    return submitted.change


def reported(capsys: Capture, ledger: Ledger, *arguments: str) -> str:
    """Return what the command prints."""
    assert main(["report", "emergencies", *arguments, "--ledger", str(ledger.url)]) == 0
    return capsys.readouterr().out


def test_the_population_its_habit_and_its_drill(ledger: Ledger, capsys: Capture) -> None:
    """Each figure lists its changes, says what it means, and what to do about a habit."""
    own = [emergency(ledger, number, incident="PD-1" * (number == 0)) for number in range(3)]
    told = records.enter(ledger, manual("systemctl restart orders"), {}, person="alice", now=THEN).change
    drill = emergency(ledger, 9, is_drill=True)
    took = {"declared": 0.4, "first step": 1.9}
    events.record(ledger, Event(drill, "housekeeping", THEN, Drilled(good=True, took=took)))
    lines = [" ".join(line.split()) for line in reported(capsys, ledger).splitlines()]
    assert f"changes of the world that are known 4 {', '.join([*own, told])}" in lines
    assert f"emergencies 3 {', '.join(own)}" in lines
    assert f"emergencies without an open incident 2 {', '.join(own[1:])}" in lines
    assert f"phantom share 75.0% {told}, {', '.join(own[1:])}" in lines
    assert f"retroactive approval is overdue 3 {', '.join(own)}" in lines
    assert any(line.startswith("phantom share: changes of the world that nobody asked for") for line in lines)
    assert any("3 emergencies within 30 days" in line and "make it a standard change" in line for line in lines)
    assert f"Last good drill: {drill}, {THEN:%Y-%m-%d %H:%M} UTC (declared 0.4 s, first step 1.9 s)." in lines


def test_an_empty_ledger_has_no_shares(ledger: Ledger, capsys: Capture) -> None:
    """Nothing was measured, and no drill has gone well: both are said."""
    lines = [" ".join(line.split()) for line in reported(capsys, ledger).splitlines()]
    assert "phantom share -" in lines
    assert lines[-2].startswith("No drill has gone well yet")


def test_a_change_whose_record_was_altered_is_named(ledger: Ledger, capsys: Capture) -> None:
    """It is neither counted as nothing, nor does it stop the report."""
    change = emergency(ledger, 0)
    tamper(ledger, "UPDATE events SET actor = 'mallory' WHERE kind = 'declared'")
    facts = json.loads(reported(capsys, ledger, "--json"))
    assert {each["name"]: each["changes"] for each in facts["figures"]}["unreadable"] == [change]


def test_a_forged_drill_is_none(ledger: Ledger, capsys: Capture) -> None:
    """Whoever owns the database cannot write that all is well."""
    change = emergency(ledger, 0, is_drill=True)
    events.record(ledger, Event(change, "housekeeping", THEN, Drilled(good=False, took={}, reason="no")))
    tamper(ledger, "UPDATE events SET data = replace(data, 'false', 'true') WHERE kind = 'drilled'")
    assert json.loads(reported(capsys, ledger, "--json"))["drill"]["last_good"] is None


@pytest.mark.parametrize(
    ("good", "last", "told"),
    [
        (Drill("CHG-1", THEN - timedelta(days=50), True, {}), None, "STALE after 45 days"),
        (None, Drill("CHG-2", THEN, False, {}, "the undo failed"), "CHG-2"),
    ],
)
def test_a_stale_drill_and_a_bad_one_are_said(good: Drill | None, last: Drill | None, told: str) -> None:
    """A drill that was never repeated proves nothing."""
    assert told in " ".join(drill_lines(good, last, Emergencies(), THEN))
