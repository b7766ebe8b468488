"""Reads what changes owe after they have acted: from their sealed events, and from nothing else."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from changewindow.ledger import payloads
from changewindow.ledger.chain import checked_events
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.events import known, payload
from changewindow.ledger.models import Change, EventRow, Touched
from changewindow.policy.aftercare import Aftercare, FollowUp, Retroactive

OWING = (EventKind.DECLARED, EventKind.RECORDED, EventKind.REVIEW_ASKED)
"""The events from which on a change owes something."""


def of_change(ledger: Ledger, change: str) -> Aftercare | None:
    """Return what a change owes or has owed; None where it never owed anything.

    Raises:
        LedgerUnknown: there is no such change.
        BrokenChain: its events were altered.
    """
    with ledger.reading() as session:
        return _read(session, known(session, change))


def since(ledger: Ledger, moment: datetime) -> list[Aftercare]:
    """Return what each change owes or has owed that was declared, told or to be reviewed since then, oldest first.

    Raises:
        BrokenChain: the events of one of them were altered.
    """
    wanted = select(EventRow.number).where(EventRow.kind.in_(OWING), EventRow.at >= moment).distinct()
    with ledger.reading() as session:
        numbers = sorted(session.scalars(wanted))
        rows = (session.get(Change, number) for number in numbers)
        return [owed for row in rows if row is not None and (owed := _read(session, row)) is not None]


def _read(session: Session, change: Change) -> Aftercare | None:
    targets = session.scalars(select(Touched.target).where(Touched.number == change.number).order_by(Touched.target))
    return after(change, tuple(targets), checked_events(session, change))


def after(change: Change, targets: tuple[str, ...], rows: Iterable[EventRow]) -> Aftercare | None:
    """Return what the events of a change make it owe."""
    owed = None
    for row in rows:
        event = payload(row)
        if isinstance(event, payloads.Declared | payloads.Recorded | payloads.ReviewAsked):
            owed = _begun(owed, change, targets, row)
        elif owed is not None:
            owed = _next(owed, row)
    return owed


def _begun(owed: Aftercare | None, change: Change, targets: tuple[str, ...], row: EventRow) -> Aftercare | None:
    event = payload(row)
    base = owed or Aftercare(
        change.id, "emergency", change.digest, change.summary, targets, began=row.at, requester=change.requester
    )
    if isinstance(event, payloads.Declared):
        return replace(
            base,
            digest=event.digest,
            requester=row.actor,
            executor=event.executor,
            commander=event.commander,
            incident=event.incident,
            skipped_people=tuple(dict.fromkeys(name for each in event.skipped for name in each.people)),
            due=event.due,
            workaround_until=event.workaround_until,
            is_drill=event.is_drill,
        )
    if isinstance(event, payloads.Recorded):
        told = replace(base, because="record", digest=event.digest, requester=row.actor, executor=event.done_by)
        return replace(told, incident=event.incident, due=event.due) if event.due else None
    if isinstance(event, payloads.ReviewAsked):
        because = base.because if owed else event.because
        return replace(base, because=because, review_due=base.review_due or event.due)
    return owed


def _next(owed: Aftercare, row: EventRow) -> Aftercare:
    event = payload(row)
    if isinstance(event, payloads.RetroDecided):
        word = Retroactive(row.actor, event.digest, event.yes, row.at, counts=event.counts, reason=event.reason)
        return replace(owed, words=(*owed.words, word))
    if isinstance(event, payloads.Reviewed):
        follow_ups = tuple(
            FollowUp(number, each.what, each.owner, each.due) for number, each in enumerate(event.follow_ups, 1)
        )
        return replace(owed, reviewed_at=row.at, reviewed_by=row.actor, follow_ups=follow_ups)
    if isinstance(event, payloads.Reminded):
        return replace(owed, told=owed.told | {(event.about, event.moment)})
    if isinstance(event, payloads.FollowedUp):
        return _followed_up(owed, event)
    if isinstance(event, payloads.Closed) and event.outcome == "rolled_back":
        return replace(owed, workaround_until=None)  # it is gone
    return owed


def _followed_up(owed: Aftercare, event: payloads.FollowedUp) -> Aftercare:
    if event.about == "workaround":
        return replace(owed, workaround_until=None if event.done else event.due or owed.workaround_until)
    changed = tuple(
        replace(each, is_done=event.done, owner=event.owner or each.owner, due=event.due or each.due)
        if event.about == f"follow_up:{each.number}"
        else each
        for each in owed.follow_ups
    )
    return replace(owed, follow_ups=changed)
