"""Appends events to a change's chain, reads them, and verifies the chain."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from changewindow.documents.canonical import canonical
from changewindow.errors import BrokenChain, LedgerUnknown
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Change, Event

START = "0" * 64


@dataclass(frozen=True)
class Happening:
    """What an event says, before it has its place in the chain."""

    change: str
    kind: str
    """A word of the design, such as `submitted`, `approved`, `remembered`, `applied`, `undone`, `closed`."""
    actor: str
    at: datetime
    data: dict[str, Any]


def number(change: str) -> int:
    """Return the number in the id of a change.

    Raises:
        LedgerUnknown: it is no such id.
    """
    try:
        return int(change.removeprefix("CHG-"))
    except ValueError as error:
        raise LedgerUnknown(change) from error


def known(session: Session, change: str, *, is_locked: bool = False) -> Change:
    """Return the change, for those who only read.

    Raises:
        LedgerUnknown: there is no such change.
    """
    found = session.get(Change, number(change), with_for_update=is_locked)
    if found is None:
        raise LedgerUnknown(change)
    return found


def locked(session: Session, change: str) -> Change:
    """Return the change, locked until the transaction ends; see `known`."""
    return known(session, change, is_locked=True)


def append(session: Session, happening: Happening) -> str:
    """Add an event to its change's chain, inside the caller's transaction; return its hash."""
    locked(session, happening.change)
    last = session.scalar(_chain(happening.change).order_by(Event.sequence.desc()).limit(1))
    event = Event(
        number=number(happening.change),
        sequence=last.sequence + 1 if last else 1,
        at=happening.at,
        kind=happening.kind,
        actor=happening.actor,
        data=canonical(happening.data),
        previous=last.hash if last else START,
    )
    event.hash = _hash(event)
    session.add(event)
    session.flush()
    return event.hash


def record(ledger: Ledger, happening: Happening) -> str:
    """Add an event in a transaction of its own; return its hash.

    Raises:
        LedgerDown: nothing was written.
    """
    with ledger.transaction() as session:
        return append(session, happening)


def history(ledger: Ledger, change: str) -> list[Event]:
    """Return all events of a change, oldest first.

    Raises:
        LedgerUnknown: there is no such change.
    """
    with ledger.reading() as session:
        known(session, change)
        return list(session.scalars(_chain(change).order_by(Event.sequence)))


def data(event: Event) -> dict[str, Any]:
    """Return what an event says, as it was given."""
    said: dict[str, Any] = json.loads(event.data)
    return said


def verify(ledger: Ledger, change: str) -> str:
    """Return the hash at the head of a change's chain, after checking every link.

    Raises:
        BrokenChain: an event is missing or was altered.
    """
    previous = START
    for expected, event in enumerate(history(ledger, change), 1):
        if event.sequence != expected:
            raise BrokenChain(change, expected, "is missing")
        if event.previous != previous:
            raise BrokenChain(change, expected, "does not follow the event before it")
        if event.hash != _hash(event):
            raise BrokenChain(change, expected, "does not match its hash")
        previous = event.hash
    return previous


def _chain(change: str) -> Any:
    return select(Event).where(Event.number == number(change))


def _hash(event: Event) -> str:
    sealed = {
        "change": event.number,
        "sequence": event.sequence,
        "at": event.at.isoformat(timespec="microseconds"),
        "kind": event.kind,
        "actor": event.actor,
        "data": event.data,
        "previous": event.previous,
    }
    return hashlib.sha256(canonical(sealed).encode()).hexdigest()
