"""Verifies a whole ledger: every chain with its seals, every row beside it, and what is known of it elsewhere."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import InstrumentedAttribute, Session

from changewindow.errors import BrokenChain, SealKeyMissing
from changewindow.ledger.chain import Head, checked, checked_events, stored_events
from changewindow.ledger.comparison import (
    altered_display,
    altered_holds,
    altered_line,
    altered_state,
    altered_targets,
    altered_texts,
    altered_window,
    approvals_of,
    newest_text,
)
from changewindow.ledger.database import Ledger
from changewindow.ledger.derived import derived
from changewindow.ledger.events import known
from changewindow.ledger.findings_comparison import altered_findings
from changewindow.ledger.models import (
    FINDINGS_NUMBER,
    LINE_NUMBER,
    RECORDS,
    Approval,
    Change,
    EventRow,
    FindingRow,
    Lease,
    LookRow,
    Revision,
    StepLockRow,
    Stop,
    Touched,
    Watch,
    identity,
)
from changewindow.ledger.outbox_row import OutboxRow
from changewindow.ledger.row_seals import altered_feeds, altered_messages, altered_rows

OWNED: tuple[InstrumentedAttribute[int], ...] = (
    EventRow.number,
    Approval.number,
    Lease.number,
    Revision.number,
    Touched.number,
    StepLockRow.number,
    Watch.number,
    OutboxRow.number,
)
"""Rows that belong to a change."""


@dataclass(frozen=True)
class Verified:
    """What was looked at, and what is not as it was written."""

    changes: int
    events: int
    heads: int
    """Heads that were kept outside the ledger, and compared."""
    altered: tuple[str, ...]


def verify_all(ledger: Ledger) -> Verified:
    """Return everything in a ledger that somebody has inserted, altered, deleted or cut off.

    Raises:
        LedgerDown: the database does not answer.
        SealKeyMissing: nothing can be verified here.
    """
    kept: dict[int, list[Head]] = {}
    for number, head in ledger.heads.kept():
        kept.setdefault(number, []).append(head)
    altered: list[str] = []
    count = 0
    with ledger.reading() as session:
        numbers = list(session.scalars(select(Change.number).order_by(Change.number)))
        for number in numbers:
            events, differences = _looked_at(session, number, kept.get(number, []))
            count += events
            altered += differences
            session.expunge_all()
        altered += [*_without_change(session, set(numbers)), *altered_feeds(session)]
        known_of = {*kept, LINE_NUMBER} if numbers or _stops(session) else set(kept)
        known_of |= {FINDINGS_NUMBER} if _has_findings(session) else set()
    gone = sorted(known_of - set(numbers))
    altered += [f"{identity(number)} is missing: somebody has deleted it, or emptied the ledger." for number in gone]
    return Verified(len({*numbers} - {*RECORDS}), count, sum(map(len, kept.values())), tuple(altered))


@dataclass(frozen=True)
class Looked:
    """The events of a change, whether they can be believed or not."""

    rows: Sequence[EventRow]
    """Oldest first, to read only: none belongs to a session."""
    altered: tuple[str, ...]
    """What is not as it was written, or why that cannot be checked, a sentence each; none: all can be believed."""
    are_checked: bool = False
    """Whether these events are as they were written, whatever the rows beside them say."""


def look_at(session: Session, change: Change) -> Looked:
    """Return the events of a change with everything of it that is not as it was written; never raises for that."""
    rows: Sequence[EventRow] = ()
    are_checked = False
    try:
        rows = stored_events(session, [change.number])
        checked(session, change, rows)
        are_checked = True
        altered = tuple(f"{change.id}: {each}." for each in _differences(session, change, rows))
        return Looked(rows, altered, are_checked)
    except (BrokenChain, SealKeyMissing) as error:
        return Looked(rows, (str(error),))
    except (ValueError, TypeError, StatementError) as error:
        return Looked(rows, (_unreadable(change.number, error),), are_checked)


def place_in_chain(ledger: Ledger, change: str, event_hash: str) -> int | None:
    """Return which event of a verified chain has a hash that somebody has kept elsewhere; None: none has.

    Raises:
        BrokenChain: the chain was altered.
    """
    with ledger.reading() as session:
        rows = checked_events(session, known(session, change))
    return next((row.sequence for row in rows if row.hash == event_hash.strip().lower()), None)


def _looked_at(session: Session, number: int, kept: list[Head]) -> tuple[int, list[str]]:
    """Return how many events a change has, and everything of it that is not as it was written, or was once kept."""
    try:
        rows, differences = _verified(session, session.get_one(Change, number))
    except (ValueError, TypeError, StatementError) as error:
        return 0, [_unreadable(number, error)]
    return len(rows), [*differences, *_not_kept(identity(number), rows, kept)]


def _verified(session: Session, change: Change) -> tuple[list[EventRow], list[str]]:
    """Return the events of a change, and everything of it that is not as it was written."""
    try:
        rows = checked_events(session, change)
    except BrokenChain as broken:
        stored = select(EventRow).where(EventRow.number == change.number).order_by(EventRow.sequence)
        return list(session.scalars(stored)), [str(broken)]
    if change.number == LINE_NUMBER:
        differences = (*altered_line(change, rows, _stops(session)), *altered_messages(session, change.number))
        return rows, [f"{change.id}: {difference}." for difference in differences]
    if change.number == FINDINGS_NUMBER:
        return rows, [f"{change.id}: {difference}." for difference in altered_findings(session, change, rows)]
    return rows, [f"{change.id}: {difference}." for difference in _differences(session, change, rows)]


def _unreadable(number: int, error: Exception) -> str:
    return f"{identity(number)}: its rows cannot be read: somebody has altered them ({error})."


def _differences(session: Session, change: Change, rows: Sequence[EventRow]) -> Iterator[str]:
    """Yield what the rows beside the events of a change do not say as these do."""
    state = derived(rows)
    text = newest_text(session, change, state)
    yield from (
        *altered_state(change, state, approvals_of(session, change)),
        *altered_texts(session, change, state),
        *altered_window(change, state, text),
        *altered_display(change, state, text),
        *altered_holds(session, change, state),
        *altered_targets(session, change, text),
        *altered_rows(session, change.number),
        *altered_messages(session, change.number),
    )


def _stops(session: Session) -> list[Stop]:
    return list(session.scalars(select(Stop).order_by(Stop.id)))


def _has_findings(session: Session) -> bool:
    return any(session.scalar(select(column).limit(1)) is not None for column in (FindingRow.id, LookRow.collector))


def _not_kept(change: str, rows: list[EventRow], heads: list[Head]) -> Iterator[str]:
    """Say which heads that were kept outside are no longer those of the chain; the first one is enough."""
    hashes = {row.sequence: row.hash for row in rows}
    for head in heads:
        if head.sequence not in hashes:
            yield f"{change}: event {head.sequence} was there, and is missing: the end of the chain was cut off."
            return
        if hashes[head.sequence] != head.hash:
            yield f"{change}: event {head.sequence} is another one than it was: the chain was written anew."
            return


def _without_change(session: Session, numbers: set[int]) -> Iterator[str]:
    """Say which rows belong to no change."""
    for column in OWNED:
        for number in sorted(set(session.scalars(select(column).distinct())) - numbers):
            yield f"{identity(number)} is missing, and the table {column.class_.__tablename__} has rows of it."
