"""Appends events to a change's chain, reads them, and verifies the chain."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Select, bindparam, insert, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from changewindow.documents.canonical import canonical
from changewindow.errors import BrokenChain, LedgerUnknown, UnreadableEvent
from changewindow.ledger import chain, payloads
from changewindow.ledger.chain import START, Head, checked_events, hash_of, require_seal
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.heads import KEPT
from changewindow.ledger.models import RECORDS, Base, Change, EventRow
from changewindow.ledger.payloads import Payload, Unknown

P = TypeVar("P", bound=Payload)
ID = re.compile(r"CHG-[1-9][0-9]{0,8}")


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
    """Return the number in the id of a change: one id has one form, so that no two names mean the same change.

    Raises:
        LedgerUnknown: it is no such id.
    """
    for record_number, name in RECORDS.items():
        if change == name:
            return record_number
    if not is_id(change):
        raise LedgerUnknown(change)
    return int(change.removeprefix("CHG-"))


def is_id(text: str) -> bool:
    """Return whether a text is the id of a change, whether there is such a change or not."""
    return ID.fullmatch(text) is not None


def known(session: Session, change: str, *, is_locked: bool = False) -> Change:
    """Return the change, for those who only read.

    Raises:
        LedgerUnknown: there is no such change.
    """
    row = session.get(Change, number(change), with_for_update=is_locked or None)
    if row is None:
        raise LedgerUnknown(change)
    return row


def locked(session: Session, change: str) -> Change:
    """Return the change, locked until the transaction ends; see `known`."""
    return known(session, change, is_locked=True)


def append(session: Session, event: Event) -> str:
    """Add an event to its change's chain, inside the caller's transaction; return its hash."""
    return _append(session, event.entry)


def append_entry(session: Session, entry: Entry) -> str:
    """Do the same with an event as it is stored, whichever version kept it."""
    return _append(session, entry)


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
    """Return what the events of one kind say, oldest first; see `recorded`."""
    return [content for content in recorded(ledger, change, of) if isinstance(content, of)]


def recorded(ledger: Ledger, change: str, *of: type[Payload]) -> list[Payload]:
    """Return what the events of some kinds say, oldest first, after checking their seals.

    Raises:
        LedgerUnknown: there is no such change.
        BrokenChain: one of them was altered, or written by somebody without the key.
        UnreadableEvent: a later version wrote one of them; what it says may matter, so it is not passed over.
    """
    read = [(row, payload(row)) for row in _sealed(ledger, change, *(payload.kind for payload in of))]
    for row, content in read:
        if isinstance(content, Unknown):
            raise UnreadableEvent(change, row.sequence, row.kind)
    return [content for _, content in read if isinstance(content, of)]


def _sealed(ledger: Ledger, change: str, *kinds: EventKind) -> list[EventRow]:
    """Return events of a change whose seals hold; of an older version's, only the whole chain can say that."""
    rows = history(ledger, change, *kinds)
    if any(row.seal is None for row in rows):
        with ledger.reading() as session:
            return [row for row in checked_events(session, known(session, change)) if row.kind in kinds]
    for row in rows:
        if row.hash != hash_of(row):
            raise BrokenChain(change, row.sequence, "does not match its hash")
        require_seal(ledger.seal, change, row)
    return rows


def head(ledger: Ledger, change: str) -> str:
    """Return the hash of the newest event of a change, for those who keep it elsewhere."""
    with ledger.reading() as session:
        newest = _chain(change).order_by(EventRow.sequence.desc()).limit(1)
        row = session.scalar(newest)
        return row.hash if row else START


def verify(ledger: Ledger, change: str) -> str:
    """Return the hash at the head of a change's chain, after checking every link, seal and the head.

    Raises:
        BrokenChain: an event is missing or was altered.
    """
    with ledger.reading() as session:
        rows = checked_events(session, known(session, change))
        return rows[-1].hash if rows else START


def _append(session: Session, entry: Entry) -> str:
    """Add an event under seal, and move the sealed head; a head that is not that of the chain stays for `verify`."""
    change, seal = locked(session, entry.change), chain.seal_of(session)
    last = session.execute(NEWEST, {"number": change.number}).one_or_none()
    before = Head(*last) if last else None
    row = EventRow(
        number=change.number,
        sequence=before.sequence + 1 if before else 1,
        at=entry.at.astimezone(UTC),
        kind=entry.kind,
        actor=entry.actor,
        data=canonical(entry.data),
        previous=before.hash if before else START,
    )
    row.hash = hash_of(row)
    row.seal = chain.sealed_event(seal, row.hash)
    session.execute(ADD, {column.key: getattr(row, column.key) for column in EVENTS.columns})
    if chain.is_head(seal, change, before):
        head = Head(row.sequence, row.hash)
        kept = chain.sealed_head(seal, change.number, head)
        session.execute(MOVE, {"changed": change.number, "head": kept})
        set_committed_value(change, "head", kept)
        if row.kind in KEPT:
            session.info[chain.NEW_HEADS][change.number] = head
    return row.hash


EVENTS, CHANGES = Base.metadata.tables["events"], Base.metadata.tables["changes"]
NEWEST = (
    select(EVENTS.c.sequence, EVENTS.c.hash)
    .where(EVENTS.c.number == bindparam("number"))
    .order_by(EVENTS.c.sequence.desc())
    .limit(1)
)
ADD = insert(EVENTS)
MOVE = update(CHANGES).where(CHANGES.c.number == bindparam("changed"))


def _chain(change: str) -> Select[EventRow]:
    return select(EventRow).where(EventRow.number == number(change))
