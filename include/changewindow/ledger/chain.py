"""Checks the chain of a change's events: each follows the one before, each is sealed, and none is missing at its end.

Events of versions that sealed nothing come first in a chain, if there are any; the sealed head, or the first sealed
event, vouches for them, because it carries the hash of the one before it.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from changewindow.documents.canonical import canonical
from changewindow.errors import BrokenChain, UnknownSealKey
from changewindow.ledger.models import Change, EventRow, identity
from changewindow.ledger.seal import Seal

START = "0" * 64
"""What the first event of a chain follows."""
LEDGER_SEAL = "seal"
"""Under this name a session of the ledger knows the seal."""
NEW_HEADS = "heads"
"""Under this name it collects the heads that are kept outside the ledger once it is committed."""


@dataclass(frozen=True)
class Head:
    """Where a chain ends."""

    sequence: int
    hash: str


def seal_of(session: Session) -> Seal:
    """Return the seal of the ledger to which a session belongs."""
    seal: Seal = session.info[LEDGER_SEAL]
    return seal


def hash_of(row: EventRow) -> str:
    """Return the hash of an event: of all that it says, and of the one before it."""
    content = {
        "change": row.number,
        "sequence": row.sequence,
        "at": row.at.isoformat(timespec="microseconds"),
        "kind": row.kind,
        "actor": row.actor,
        "data": row.data,
        "previous": row.previous,
    }
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def sealed_event(seal: Seal, event_hash: str) -> str:
    """Return the seal of an event."""
    return seal.of("event", event_hash)


def sealed_head(seal: Seal, number: int, head: Head) -> str:
    """Return the head of a chain with its seal, as the change keeps it."""
    return f"{head.sequence} {head.hash} {seal.of('head', [number, head.sequence, head.hash])}"


def is_head(seal: Seal, change: Change, head: Head | None) -> bool:
    """Return whether a chain ends here, as the change has it under seal."""
    if head is None or change.head is None:
        return head is None and change.head is None
    sequence, _, rest = change.head.partition(" ")
    kept, _, kept_seal = rest.partition(" ")
    if (sequence, kept) != (str(head.sequence), head.hash):
        return False
    return seal.holds(kept_seal, "head", [change.number, head.sequence, head.hash])


def head_of(rows: Sequence[EventRow]) -> Head | None:
    """Return where a chain ends; None where it has not begun."""
    return Head(rows[-1].sequence, rows[-1].hash) if rows else None


def rows_in(here: Connection | Session, number: int) -> list[EventRow]:
    """Return the events of a change as version 0.1.0 wrote them, oldest first."""
    columns = [column for column in EventRow.__table__.columns if column.key != "seal"]
    statement = select(*columns).where(EventRow.number == number).order_by(EventRow.sequence)
    return [EventRow(**row) for row in here.execute(statement).mappings()]


def linked(number: int, rows: Iterable[EventRow]) -> list[EventRow]:
    """Return the events of a change, after checking that each follows the one before it.

    Raises:
        BrokenChain: an event is missing or was altered.
    """
    change, previous, checked = identity(number), START, []
    for expected, row in enumerate(rows, 1):
        if row.sequence != expected:
            raise BrokenChain(change, expected, "is missing")
        if row.previous != previous:
            raise BrokenChain(change, expected, "does not follow the event before it")
        if row.hash != hash_of(row):
            raise BrokenChain(change, expected, "does not match its hash")
        previous = row.hash
        checked.append(row)
    return checked


def checked_events(session: Session, change: Change) -> list[EventRow]:
    """Return all events of a change, oldest first, after checking links, seals and head.

    Raises:
        BrokenChain: an event is missing, was altered, or was written by somebody without the key.
        SealKeyMissing: nothing can be checked here.
    """
    statement = select(EventRow).where(EventRow.number == change.number).order_by(EventRow.sequence)
    return checked(session, change, session.scalars(statement))


def stored_events(session: Session, numbers: Sequence[int]) -> Sequence[EventRow]:
    """Return the events of changes, unchecked, each change's oldest first, to read only.

    They are plain rows with the fields of events, for as objects of a session thousands take far longer.
    """
    in_order = select(EventRow.__table__).order_by(EventRow.number, EventRow.sequence)
    return cast("Sequence[EventRow]", session.execute(in_order.where(EventRow.number.in_(numbers))).all())


def checked(session: Session, change: Change, stored: Iterable[EventRow]) -> list[EventRow]:
    """Return what was stored as all events of a change, oldest first, after the same checks; see `checked_events`."""
    seal = seal_of(session)
    rows, name = linked(change.number, stored), change.id
    are_sealed = False
    for row in rows:
        are_sealed = are_sealed or row.seal is not None
        if are_sealed:
            require_seal(seal, name, row)
    if is_head(seal, change, head_of(rows)):
        return rows
    if why := seal.why_strange((change.head or "").rpartition(" ")[2]):
        raise UnknownSealKey(change.id, "the head of its chain", why)
    raise BrokenChain(change.id, *_why_not_head(change, rows))


def is_sealed(seal: Seal, row: EventRow) -> bool:
    """Return whether an event, taken alone, is as one of us wrote it."""
    return row.hash == hash_of(row) and seal.holds(row.seal, "event", row.hash)


def require_seal(seal: Seal, change: str, row: EventRow) -> None:
    """Make sure that an event has its seal.

    Raises:
        BrokenChain: it has none, or that of something else.
    """
    if row.seal is None:
        raise BrokenChain(change, row.sequence, "has no seal")
    if why := seal.why_strange(row.seal):
        raise UnknownSealKey(change, f"event {row.sequence}", why)
    if not seal.holds(row.seal, "event", row.hash):
        raise BrokenChain(change, row.sequence, "does not match its seal")


def _why_not_head(change: Change, rows: list[EventRow]) -> tuple[int, str]:
    """Return the event at which a chain does not end as it should, and why."""
    last = len(rows)
    if change.head is None:
        return last, "is the last one, and nothing vouches for that: the chain has no sealed head"
    sequence = change.head.partition(" ")[0]
    if sequence.isdecimal() and int(sequence) > last:
        return last + 1, f"is missing, and every one up to {sequence}: the end of the chain was cut off"
    return last, "is the last one, which the sealed head does not say"
