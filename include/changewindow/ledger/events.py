"""Appends events to a change's chain, reads them, and verifies the chain."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from changewindow.documents.canonical import canonical
from changewindow.errors import BrokenChain, LedgerUnknown, UnreadableEvent
from changewindow.ledger import payloads
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.models import Change, EventRow
from changewindow.ledger.payloads import Payload, Unknown

START = "0" * 64
P = TypeVar("P", bound=Payload)


@dataclass(frozen=True)
class Entry:
    """An event as it is stored, before it has its place in the chain."""

    change: str
    kind: str
    actor: str
    at: datetime
    data: dict[str, Any]


@dataclass(frozen=True)
class Event:
    """Something that has happened to a change."""

    change: str
    actor: str
    at: datetime
    payload: Payload

    @property
    def entry(self) -> Entry:
        """Return it as it is stored."""
        return Entry(self.change, self.payload.kind.value, self.actor, self.at, self.payload.as_data())


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
    row = session.get(Change, number(change), with_for_update=is_locked)
    if row is None:
        raise LedgerUnknown(change)
    return row


def locked(session: Session, change: str) -> Change:
    """Return the change, locked until the transaction ends; see `known`."""
    return known(session, change, is_locked=True)


def append(session: Session, event: Event) -> str:
    """Add an event to its change's chain, inside the caller's transaction; return its hash."""
    return _append(session, event.entry)


def record(ledger: Ledger, event: Event) -> str:
    """Add an event in a transaction of its own; return its hash.

    Raises:
        LedgerDown: nothing was written.
    """
    return record_entry(ledger, event.entry)


def record_entry(ledger: Ledger, entry: Entry) -> str:
    """Add an event that was kept as it is stored, whichever version kept it; otherwise as `record`."""
    with ledger.transaction() as session:
        return _append(session, entry)


def history(ledger: Ledger, change: str, *kinds: EventKind) -> list[EventRow]:
    """Return the events of a change, oldest first: all, or those of some kinds.

    Raises:
        LedgerUnknown: there is no such change.
    """
    with ledger.reading() as session:
        known(session, change)
        chain = _chain(change).where(EventRow.kind.in_(kinds)) if kinds else _chain(change)
        return list(session.scalars(chain.order_by(EventRow.sequence)))


def data(row: EventRow) -> dict[str, Any]:
    """Return what an event says, as it was stored."""
    stored: dict[str, Any] = json.loads(row.data)
    return stored


def payload(row: EventRow) -> Payload | Unknown:
    """Return what an event says; `Unknown` when a later version wrote it."""
    return payloads.read(row.kind, data(row))


def past(ledger: Ledger, change: str, of: type[P]) -> list[P]:
    """Return what the events of one kind say, oldest first.

    Raises:
        LedgerUnknown: there is no such change.
        UnreadableEvent: a later version wrote one of them; what it says may matter, so it is not passed over.
    """
    read = [(row, payload(row)) for row in history(ledger, change, of.kind)]
    for row, content in read:
        if isinstance(content, Unknown):
            raise UnreadableEvent(change, row.sequence, row.kind)
    return [content for _, content in read if isinstance(content, of)]


def verify(ledger: Ledger, change: str) -> str:
    """Return the hash at the head of a change's chain, after checking every link.

    Raises:
        BrokenChain: an event is missing or was altered.
    """
    previous = START
    for expected, row in enumerate(history(ledger, change), 1):
        if row.sequence != expected:
            raise BrokenChain(change, expected, "is missing")
        if row.previous != previous:
            raise BrokenChain(change, expected, "does not follow the event before it")
        if row.hash != _hash(row):
            raise BrokenChain(change, expected, "does not match its hash")
        previous = row.hash
    return previous


def _append(session: Session, entry: Entry) -> str:
    locked(session, entry.change)
    last = session.scalar(_chain(entry.change).order_by(EventRow.sequence.desc()).limit(1))
    row = EventRow(
        number=number(entry.change),
        sequence=last.sequence + 1 if last else 1,
        at=entry.at,
        kind=entry.kind,
        actor=entry.actor,
        data=canonical(entry.data),
        previous=last.hash if last else START,
    )
    row.hash = _hash(row)
    session.add(row)
    session.flush()
    return row.hash


def _chain(change: str) -> Select[EventRow]:
    return select(EventRow).where(EventRow.number == number(change))


def _hash(row: EventRow) -> str:
    sealed = {
        "change": row.number,
        "sequence": row.sequence,
        "at": row.at.isoformat(timespec="microseconds"),
        "kind": row.kind,
        "actor": row.actor,
        "data": row.data,
        "previous": row.previous,
    }
    return hashlib.sha256(canonical(sealed).encode()).hexdigest()
