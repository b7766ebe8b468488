"""Records: what was done by hand, told afterwards; each a change that never runs.

Its status is `recorded`, which no rule of the gate, of leases or of publishing takes for one that may act. Who told it
is its requester, and its text is bound by digest like that of a ticket, so that a later yes can be to what was told.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from changewindow.documents.canonical import canonical
from changewindow.errors import AlteredText, LedgerUnknown
from changewindow.ledger import payloads
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, append, known
from changewindow.ledger.findings import Settled, settle_open
from changewindow.ledger.models import Change, Revision, Touched
from changewindow.ledger.stops import begin_line
from changewindow.policy.emergencies import Deadlines
from changewindow.policy.manual_change import NOT_APPROVED, RECORDED, ManualChange


@dataclass(frozen=True)
class Entered:
    """A record as it entered the ledger."""

    change: str
    closed: tuple[int, ...] = ()
    """The findings that it has closed."""
    is_new: bool = True


@dataclass(frozen=True)
class Kept:
    """A record of the ledger, with who told it and when."""

    change: str
    person: str
    told_at: datetime
    manual: ManualChange


def enter(
    ledger: Ledger,
    manual: ManualChange,
    explained: Mapping[int, str],
    *,
    person: str,
    now: datetime,
    origin: str | None = None,
    owes: Deadlines | None = None,
) -> Entered:
    """Put a record into the ledger, and close the findings that it explains, as far as they are open; all or nothing.

    The same origin tells a thing once: a run that is tried again gets what it has entered before. `owes` says by when
    its retroactive approval and its review are due; without it, it owes neither.
    """
    with ledger.transaction() as session:
        begin_line(session, now)
        if before := _of_origin(session, origin):
            return Entered(before.id, is_new=False)
        change = _added(session, manual, person=person, now=now, origin=origin)
        recorded = _payload(manual, origin)
        recorded = recorded.model_copy(update={"due": owes.approval}) if owes else recorded
        append(session, Event(change.id, person, now, recorded))
        if owes:
            append(session, Event(change.id, person, now, payloads.ReviewAsked(because="record", due=owes.review)))
        closed = close_in(session, change.id, explained, person=person, now=now)
        return Entered(change.id, closed)


def close_in(
    session: Session, change: str, explained: Mapping[int, str], *, person: str, now: datetime
) -> tuple[int, ...]:
    """Bring findings that a record explains from open to `recorded`; return their numbers."""
    told = f"as {change}, {NOT_APPROVED}"
    wanted = (Settled(number, "recorded", f"{told}: {why}") for number, why in explained.items())
    return tuple(each.number for each in wanted if settle_open(session, each, person=person, now=now))


def close(ledger: Ledger, kept: Kept, explained: Mapping[int, str], *, now: datetime) -> tuple[int, ...]:
    """Close findings that came after the record which explains them; return their numbers."""
    with ledger.transaction() as session:
        return close_in(session, kept.change, explained, person=kept.person, now=now)


def manual_change(ledger: Ledger, change: str) -> ManualChange:
    """Return what was told.

    Raises:
        LedgerUnknown: there is no such record.
        AlteredText: it is not what was told.
    """
    with ledger.reading() as session:
        row = known(session, change)
        if row.status != RECORDED:
            raise LedgerUnknown(change)
        return _text(session, row)


def since(ledger: Ledger, at: datetime) -> list[Kept]:
    """Return the records of what was not over before a moment, oldest first; one that was altered explains nothing."""
    wanted = select(Change).where(Change.status == RECORDED, Change.closes >= at).order_by(Change.number)
    with ledger.reading() as session:
        return [kept for row in session.scalars(wanted) if (kept := _kept(session, row))]


def manual_of(text: str, digest: str) -> ManualChange | None:
    """Return a stored text as what was told; None where it is not the one with this digest."""
    try:
        manual = ManualChange.model_validate(json.loads(text))
    except ValueError:
        return None
    return manual if manual.digest == digest and canonical(manual.data) == text else None


def _added(session: Session, manual: ManualChange, *, person: str, now: datetime, origin: str | None) -> Change:
    change = Change(
        requester=person,
        reason="",
        submitted_at=now,
        closed_at=now,
        origin=origin,
        summary=manual.summary,
        owner=manual.done_by,
        reviewer="",
        type="",
        risk="",
        digest=manual.digest,
        opens=manual.began,
        closes=manual.ended,
        status=RECORDED,
    )
    session.add(change)
    session.flush()
    session.add(Revision(number=change.number, digest=change.digest, text=canonical(manual.data), at=now))
    session.add_all(Touched(number=change.number, target=target) for target in manual.targets)
    return change


def _payload(manual: ManualChange, origin: str | None) -> payloads.Recorded:
    return payloads.Recorded(
        digest=manual.digest,
        summary=manual.summary,
        targets=manual.targets,
        began=manual.began,
        ended=manual.ended,
        done_by=manual.done_by,
        commands=len(manual.commands),
        masked=manual.masked,
        incident=manual.incident,
        origin=origin,
    )


def _of_origin(session: Session, origin: str | None) -> Change | None:
    same = select(Change).where(Change.origin == origin, Change.status == RECORDED).limit(1)
    return session.scalar(same) if origin else None


def _kept(session: Session, row: Change) -> Kept | None:
    try:
        return Kept(row.id, row.requester, row.submitted_at, _text(session, row))
    except AlteredText:
        return None


def _text(session: Session, row: Change) -> ManualChange:
    stored = session.get(Revision, (row.number, row.digest))
    manual = manual_of(stored.text, row.digest) if stored else None
    if manual is None:
        raise AlteredText(row.id, row.digest, "is missing, or has another digest now")
    return manual
