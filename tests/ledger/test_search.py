"""Changes are found by what happened and who took part, without reading every event."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import sqlite

from changewindow.ledger import changes, events, leases, payloads, search
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from changewindow.ledger.search import Wanted
from changewindow.ledger.search_conditions import matching
from changewindow.ledger.verification import verify_all
from support.changes import NOW, approved, intent
from support.ledgers import on_postgres, on_sqlite
from support.tampering import tamper
from support.tickets import banner

HOUR = timedelta(hours=1)


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    """Return a ledger with a change that ended after an hour, and one that waits."""
    made = on_sqlite(tmp_path) if request.param == "sqlite" else on_postgres()
    first = approved(made, banner())
    leases.start(made, first.change, intent(first.digest), targets=("production/orders",), now=NOW)
    changes.close(made, first.change, run="run-1", outcome="completed", reason="100% good", now=NOW + HOUR)
    changes.submit(made, banner(services=["payments"]), requester="Dave", now=NOW)
    return made


def found(ledger: Ledger, wanted: Wanted) -> list[str]:
    """Return the ids of the changes that are found."""
    return [each.change.id for each in search.find(ledger, wanted)]


def test_its_end_and_what_came_after_it_have_happened_to_a_change(ledger: Ledger) -> None:
    """A message of its run that was taken in late, at its true time, has happened then."""
    assert found(ledger, Wanted(since=NOW + HOUR)) == ["CHG-1001"]
    late = payloads.Released(target="production/orders", reason="it was held")
    events.record(ledger, Event("CHG-1001", "erin", NOW + 3 * HOUR, late))
    events.record(ledger, Event("CHG-1001", "erin", NOW + HOUR / 2, late))
    assert found(ledger, Wanted(since=NOW + 3 * HOUR)) == ["CHG-1001"]
    assert found(ledger, Wanted(since=NOW + 4 * HOUR)) == []
    assert found(ledger, Wanted(since=NOW)) == ["CHG-1002", "CHG-1001"]


@pytest.mark.parametrize(("person", "expected"), [("BOB", 2), ("dave", 1), ("alice", 2), ("run-1", 0), ("bo", 0)])
def test_people_took_part(ledger: Ledger, person: str, expected: int) -> None:
    """Who asked, owns, reviews or has done something, in whatever case; a run is nobody."""
    assert len(found(ledger, Wanted(person=person))) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(text="100% GOOD"), ["CHG-1001"]),
        (Wanted(text="chg-1002"), ["CHG-1002"]),
        (Wanted(text="1_0"), []),
        (Wanted(service="payments", environment="production"), ["CHG-1002"]),
        (Wanted(service="payments", environment="staging"), []),
        (Wanted(outcomes=("completed", "missed")), ["CHG-1001"]),
        (Wanted(ended_since=NOW + HOUR), ["CHG-1001"]),
        (Wanted(ended_since=NOW + 2 * HOUR), []),
        (Wanted(ended_until=NOW + HOUR), []),
        (Wanted(ended_since=NOW + HOUR, ended_until=NOW + 2 * HOUR), ["CHG-1001"]),
        (Wanted(until=NOW), []),
        (Wanted(asked_since=NOW), ["CHG-1002", "CHG-1001"]),
        (Wanted(asked_since=NOW + HOUR), []),
        (Wanted(type="normal", risk="low"), ["CHG-1002", "CHG-1001"]),
        (Wanted(type="emergency"), []),
        (Wanted(risk="high"), []),
        (Wanted(numbers=frozenset(range(1002, 90_000))), ["CHG-1002"]),
        (Wanted(numbers=frozenset()), []),
    ],
)
def test_changes_are_looked_for(ledger: Ledger, wanted: Wanted, expected: list[str]) -> None:
    """On every database alike; a percent sign is a percent sign."""
    assert found(ledger, wanted) == expected


def test_an_earlier_ledger_learns_type_and_risk(ledger: Ledger) -> None:
    """From the texts of its changes; a text that somebody has altered keeps no other from it."""
    changes.submit(ledger, banner(risk="high"), requester="erin", now=NOW)
    tamper(
        ledger,
        *("DROP INDEX ix_events_by", "ALTER TABLE changes DROP COLUMN type", "ALTER TABLE changes DROP COLUMN risk"),
        "UPDATE revisions SET text = 'no ticket' WHERE number = 1002",
        "UPDATE alembic_version SET version_num = '0009'",
    )
    ledger.upgrade()
    assert found(ledger, Wanted(type="normal")) == ["CHG-1003", "CHG-1001"]
    assert found(ledger, Wanted(risk="high")) == ["CHG-1003"]
    assert not [line for line in verify_all(ledger).altered if "CHG-1002" not in line]


def test_what_somebody_has_done_is_found_by_an_index(tmp_path: Path) -> None:
    """Of half a million events, few are read."""
    statement = matching(Wanted(person="bob")).compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    with on_sqlite(tmp_path).reading() as session:
        plan = [row.detail for row in session.execute(text(f"EXPLAIN QUERY PLAN {statement}"))]
    assert any("INDEX ix_events_by" in step for step in plan), plan
