"""How long conflict check and next opening take with 10,000 changes in the ledger, against looking at every change."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from sqlalchemy import insert, select

from changewindow.calendar.files import load_calendar
from changewindow.calendar.openings import openings
from changewindow.calendar.scope import Scope
from changewindow.cli.standalone import ROOT
from changewindow.documents.canonical import canonical
from changewindow.ledger import queries
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Change, Revision, Touched
from changewindow.policy.conflicts import Other, of_ticket, overlaps
from changewindow.policy.load import load_policy
from changewindow.ticket.reader import build_ticket
from support.changes import NOW
from support.tickets import banner

CHANGES = 10_000
YEAR = timedelta(days=365)


@pytest.fixture
def full(ledger: Ledger) -> Ledger:
    """Return a ledger with 10,000 changes that wait, spread over a year, on 100 services."""
    text = canonical(banner())
    rows = [
        (number, NOW + YEAR * (number / CHANGES), f"production/s{number % 100}") for number in range(1, CHANGES + 1)
    ]
    fixed = {"requester": "alice", "status": "approved", "reason": "", "digest": "d", "summary": "x", "owner": "a"}
    with ledger.transaction() as session:
        session.execute(
            insert(Change),
            [
                {**fixed, "reviewer": "b", "number": n, "opens": at, "closes": at + YEAR / 8760, "submitted_at": NOW}
                for n, at, _ in rows
            ],
        )
        session.execute(insert(Touched), [{"number": n, "target": target} for n, _, target in rows])
        session.execute(insert(Revision), [{"number": n, "digest": "d", "text": text, "at": NOW} for n, _, _ in rows])
    return ledger


def milliseconds(do: Callable[[], Any], times: int = 15) -> float:
    """Return the median time of doing something."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        do()
        taken.append((time.perf_counter() - began) * 1000)
    return median(taken)


def test_conflicts_are_found_among_10000_changes(full: Ledger) -> None:
    """Against reading the text of each change and comparing it."""
    policy = load_policy(ROOT / "include/policy")
    mine = of_ticket("", build_ticket(banner(services=["s7"])))

    def ours() -> list[Any]:
        near = queries.others(full, mine.opens, mine.closes)
        return overlaps(policy.catalogue, mine, near)

    def peer() -> list[Any]:
        with full.reading() as session:
            result = session.execute(
                select(Change, Revision.text).join(
                    Revision, (Revision.number == Change.number) & (Revision.digest == Change.digest)
                )
            ).all()
        every = [as_other(change, json.loads(text)) for change, text in result]
        return overlaps(policy.catalogue, mine, every)

    assert {row.change for row in ours()} <= {f"CHG-{number}" for number in range(1, CHANGES + 1)}
    a, b = milliseconds(ours), milliseconds(peer, 3)
    print(f"\nconflict check, {CHANGES} changes: {a:.1f} ms; reading every change: {b:.0f} ms; ratio {a / b:.3f}")


def as_other(change: Change, ticket: dict[str, Any]) -> Other:
    """Return a change as its text says it."""
    targets = tuple(f"{ticket['environment']}/{service}" for service in ticket["services"])
    people = {"owner": ticket["owner"], "reviewer": ticket["reviewer"]}
    return Other(change.id, targets, change.opens, change.closes, status=change.status, **people)


def test_the_next_opening_is_found(tmp_path: Path) -> None:
    """With 20 entries in the calendar, from the file, and once it is read; against expanding a whole year."""
    entries = [weekly(number) for number in range(10)]
    calendar = {
        "zone": "Europe/Berlin",
        "default": "open",
        "windows": entries,
        "freezes": [frozen(n) for n in range(10)],
    }
    (tmp_path / "calendar.yaml").write_text(json.dumps(calendar))
    scope = Scope("production", ("orders",), "normal")

    def fresh() -> Any:
        schedule = load_calendar(tmp_path).schedule
        assert schedule is not None
        return schedule

    def first(schedule: Any) -> Any:
        return next(openings(schedule, scope, NOW, timedelta(minutes=30)), None)

    def year(schedule: Any) -> Any:
        windows = openings(schedule, scope, NOW, timedelta(minutes=30))
        return [window for window, _ in zip(windows, range(200), strict=False)]

    cold = milliseconds(lambda: first(fresh())) - milliseconds(fresh)
    known = fresh()
    first(known)
    warm, all_year = milliseconds(lambda: first(known)), milliseconds(lambda: year(fresh()), 3)
    print(f"\nnext opening, 20 entries: {cold:.1f} ms, again {warm:.2f} ms; 200 openings: {all_year:.0f} ms; ", end="")
    print(f"ratio {cold / all_year:.3f}")


def weekly(number: int) -> dict[str, Any]:
    """Return a window of one evening a week."""
    return {
        "name": f"window {number}",
        "start": f"2031-01-{6 + number:02} 22:00",
        "end": f"2031-01-{7 + number:02} 02:00",
        "repeat": "FREQ=WEEKLY",
    }


def frozen(number: int) -> dict[str, Any]:
    """Return a freeze of some days a year."""
    return {
        "name": f"freeze {number}",
        "start": f"2031-{number + 1:02}-01 00:00",
        "end": f"2031-{number + 1:02}-03 00:00",
        "repeat": "FREQ=YEARLY",
    }
