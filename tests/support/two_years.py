"""A ledger of two years: 10,000 changes with 500,000 events, under seal, made of the chains of a busy week."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, insert, select

from changewindow.documents.canonical import canonical
from changewindow.ledger import chain, payloads
from changewindow.ledger.chain import START, Head, hash_of
from changewindow.ledger.database import Ledger
from changewindow.ledger.findings import write_pass
from changewindow.ledger.looks import Look
from changewindow.ledger.models import Base
from changewindow.policy.world_finding import WorldFinding
from support import busy
from support.changes import NOW
from support.tampering import tamper

CHANGES, EVENTS, FINDINGS = 10_000, 500_000, 1_000
LONGEST = 5_000
"""Events of one change."""
LONG = "CHG-6000"
ACTING, WAITING = 3, 60
YEARS = timedelta(days=730)
OFTEN = {
    "completed": 880,
    "rolled_back": 40,
    "refused": 25,
    "rejected": 20,
    "cancelled": 20,
    "missed": 8,
    "recorded": 5,
    "rollback_failed": 2,
}
"""How often changes end so, of a thousand."""
SERVICES = ("orders", "search", "catalogue", "payments", "checkout", "storefront")
PEOPLE = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
TABLES = Base.metadata.tables
CACHE = Path.home() / ".cache" / "changewindow-tests"
Row = Mapping[str, Any]


def ledger() -> Ledger:
    """Return the ledger; it is made once for each state of what makes it, which takes a minute."""
    made_of = b"".join(Path(file).read_bytes() for file in (__file__, busy.__file__))
    file = CACHE / f"two_years_{sha256(made_of).hexdigest()[:12]}.db"
    if not file.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        for old in CACHE.glob("two_years_*"):
            old.unlink()
        partial = file.with_suffix(".partial")
        fill(new := Ledger(f"sqlite:///{partial}"))
        new.engine.dispose()
        partial.replace(file)
    known = Ledger(f"sqlite:///{file}")
    known.upgrade()
    return known


@dataclass(frozen=True)
class Model:
    """A change of the busy week with its rows, by table."""

    change: Row
    rows: Mapping[str, list[Row]]


@dataclass(frozen=True)
class New:
    """What is a change's own."""

    number: int
    opens: datetime
    target: str
    people: tuple[str, ...]


def fill(made: Ledger) -> None:
    """Write two years."""
    made.upgrade()
    week = busy.template()
    with week.reading() as session:
        models = {state: _model(session.connection(), change) for state, change in busy.STATES.items()}
    chosen = random.Random(7)  # noqa: S311  the same two years each time
    tamper(made)
    for batch in _batches(made, models, chosen):
        _insert(made, batch)
    _find(made)


def _insert(made: Ledger, batch: Mapping[str, list[Row]]) -> None:
    with made.engine.begin() as connection:
        for table, rows in batch.items():
            if rows:
                connection.execute(insert(TABLES[table]), rows)


def _find(made: Ledger) -> None:
    """Let silent changes have been found, a hundred in each pass."""
    for first in range(0, FINDINGS, 100):
        at = NOW - YEARS * (1 - first / FINDINGS)
        found = [
            WorldFinding("change", "audit", f"web-{n}:/etc/hosts", at, f"edit {n}", "nobody", services=("orders",))
            for n in range(first, first + 100)
        ]
        write_pass(made, [Look("audit", at, at, {})], found, [], now=at)


def _model(connection: Connection, change: str) -> Model:
    number = int(change.removeprefix("CHG-"))
    (row,) = _rows(connection, "changes", number)
    tables = ("revisions", "approvals", "events", "watches")
    return Model(row, {table: _rows(connection, table, number) for table in tables})


def _rows(connection: Connection, table: str, number: int) -> list[Row]:
    wanted = TABLES[table]
    order = wanted.c.sequence if table == "events" else wanted.c.number
    return [dict(row._mapping) for row in connection.execute(select(wanted).filter_by(number=number).order_by(order))]


def _batches(made: Ledger, models: Mapping[str, Model], chosen: random.Random) -> Iterator[dict[str, list[Row]]]:
    """Give the rows of all changes, some hundred at a time."""
    ended = chosen.choices(list(OFTEN), list(OFTEN.values()), k=CHANGES)
    batch: dict[str, list[Row]] = {}
    for place, outcome in enumerate(ended):
        state, opens = _course(place, outcome)
        new = New(1001 + place, opens, f"production/{chosen.choice(SERVICES)}", tuple(chosen.sample(PEOPLE, 3)))
        for table, rows in _written(made, models[state], new).items():
            batch.setdefault(table, []).extend(rows)
        if place % 500 == 499:
            yield batch
            batch = {}
    yield batch


def _course(place: int, outcome: str) -> tuple[str, datetime]:
    """Return what has become of a change, and when its window opens: the last three act, and some wait."""
    if place >= CHANGES - ACTING:
        return "running", NOW - timedelta(minutes=10)
    if place >= CHANGES - WAITING:
        return ("submitted", "approved")[place % 2], NOW + timedelta(hours=place % WAITING * 6 + 2)
    return outcome, NOW - YEARS * (1 - place / CHANGES)


def _written(made: Ledger, model: Model, new: New) -> dict[str, list[Row]]:
    """Return the rows of one change, by table."""
    later, number = new.opens - model.change["opens"], new.number
    length = LONGEST if f"CHG-{number}" == LONG else (EVENTS - LONGEST) // CHANGES
    rows = {
        table: [_moved(row, later, number=number) for row in rows]
        for table, rows in model.rows.items()
        if table != "events"
    }
    for row in rows["approvals"]:
        row.pop("id")
    rows["watches"] = []
    events = list(_chained(made, _lengthened(model.rows["events"], length), number, later))
    people = dict(zip(("requester", "owner", "reviewer"), new.people, strict=True))
    head = Head(events[-1]["sequence"], events[-1]["hash"])
    change = _moved(model.change, later, number=number, summary=f"Release number {number}.", **people)
    change |= {"origin": None, "head": chain.sealed_head(made.seal, number, head)}
    return {"changes": [change], **rows, "events": events, "touched": [{"number": number, "target": new.target}]}


def _moved(row: Row, later: timedelta, **changed: Any) -> dict[str, Any]:
    moved = {name: value + later if isinstance(value, datetime) else value for name, value in row.items()}
    return moved | changed


def _lengthened(events: list[Row], length: int) -> list[Row]:
    """Put readings and messages before the last event, until there are so many."""
    readings = [{"sample": 1, "condition": "p99 latency", "verdict": "pass", "value": 0.14}] * 2
    between = {
        "read": canonical(payloads.Read(run="run-1", readings=tuple(readings)).as_data()),
        "message_sent": canonical(payloads.MessageSent(room="#deploys", text="watched", channel="slack").as_data()),
    }
    before = events[-2] if len(events) > 1 else events[-1]
    kinds = [("read", "read", "message_sent")[place % 3] for place in range(length - len(events))]
    more = [{**before, "kind": kind, "data": between[kind], "actor": "run-1/watch"} for kind in kinds]
    return [*events[:-1], *more, events[-1]] if len(events) > 1 else [*events, *more]


def _chained(made: Ledger, events: list[Row], number: int, later: timedelta) -> Iterator[dict[str, Any]]:
    """Give events as a chain under seal."""
    previous = START
    for sequence, event in enumerate(events, 1):
        at = (event["at"] + later).astimezone(UTC)
        row = {**event, "number": number, "sequence": sequence, "at": at, "previous": previous}
        row["hash"] = previous = hash_of(SimpleNamespace(**row))  # type: ignore[arg-type]
        row["seal"] = chain.sealed_event(made.seal, previous)
        yield row
