"""What changes owe after they have acted: read from their sealed events, and decided there."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from changewindow.errors import OperatorError
from changewindow.ledger import payloads
from changewindow.ledger.chain import checked_events
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.events import Event, append, known, locked, payload
from changewindow.ledger.models import Change, EventRow, Touched
from changewindow.policy.aftercare import LATE, Aftercare, FollowUp, Retroactive, nothing_owed, why_not

OWING = (EventKind.DECLARED, EventKind.RECORDED, EventKind.REVIEW_ASKED)
"""The events from which on a change owes something."""
BEGINNING = frozenset({*OWING, EventKind.SUBMITTED, EventKind.REVISED})
"""The events that matter as long as nothing is owed."""
TELLING = BEGINNING | {
    payload.kind
    for payload in (
        *(payloads.RetroDecided, payloads.Started, payloads.Remembered, payloads.IncidentSeen, payloads.Reviewed),
        *(payloads.MessageSent, payloads.Reminded, payloads.FollowedUp, payloads.Closed),
    )
}
"""The events that matter afterwards."""
NOTHING_LEFT = ("rolled_back", "refused", "missed")
"""Outcomes after which nothing is there of what a change was to do, and of a workaround neither."""
HOUSEKEEPING = "housekeeping"
"""Who reminds people."""


def of_change(ledger: Ledger, change: str) -> Aftercare | None:
    """Return what a change owes or has owed; None where it never owed anything.

    Raises:
        LedgerUnknown: there is no such change.
        BrokenChain: its events were altered.
    """
    with ledger.reading() as session:
        return owed_in(session, known(session, change))


@dataclass(frozen=True)
class Word:
    """A person's yes or no to what ran, given afterwards."""

    person: str
    digest: str
    """Of what they were shown."""
    is_yes: bool
    reason: str = ""


def decide(ledger: Ledger, change: str, word: Word, *, people: Iterable[str], now: datetime) -> payloads.RetroDecided:
    """Record a person's word about what ran; return what is recorded: whether it counts, or why not.

    One that does not count is an event all the same. `people` are those who may give it, see `policy.aftercare`.

    Raises:
        OperatorError: the change never owed a retroactive approval; nothing is recorded.
    """
    with ledger.transaction() as session:
        owed = owed_in(session, locked(session, change))
        if owed is None or owed.due is None:
            nothing = nothing_owed(change)
            raise OperatorError(f"{nothing.sentence}. {nothing.remedy}")
        finding = why_not(owed, word.person, word.digest, people=people, now=now)
        against: dict[str, Any] = {"why_not": finding.sentence, "late": finding.code == LATE} if finding else {}
        decided = payloads.RetroDecided(
            digest=word.digest, yes=word.is_yes, counts=finding is None, reason=word.reason, **against
        )
        append(session, Event(change, word.person, now, decided))
        return decided


def remind(ledger: Ledger, change: str, reminded: payloads.Reminded, *, now: datetime) -> bool:
    """Record that people are told of a moment of what is owed; return whether nobody had been told of it before."""
    with ledger.transaction() as session:
        owed = owed_in(session, locked(session, change))
        if owed is None or (reminded.about, reminded.moment) in owed.told:
            return False
        append(session, Event(change, HOUSEKEEPING, now, reminded))
        return True


def owed_in(session: Session, change: Change) -> Aftercare | None:
    """Return what a change owes or has owed, inside a transaction; see `of_change`."""
    return after(change, touched(session, change), checked_events(session, change))


def touched(session: Session, change: Change) -> tuple[str, ...]:
    """Return the targets that a change touches."""
    of_change = select(Touched.target).where(Touched.number == change.number)
    return tuple(session.scalars(of_change.order_by(Touched.target)))


def after(change: Change, targets: tuple[str, ...], rows: Iterable[EventRow]) -> Aftercare | None:
    """Return what the events of a change make it owe."""
    owed, is_proven = None, True
    for row in rows:
        if row.kind not in (TELLING if owed else BEGINNING):
            continue  # a watch leaves thousands
        event = payload(row)
        if isinstance(event, payloads.Submitted | payloads.Revised):
            is_proven = event.is_proven
        elif isinstance(event, payloads.Declared | payloads.Recorded | payloads.ReviewAsked):
            owed = _begun(owed, change, targets, row)
        elif owed is not None:
            owed = _next(owed, row)
    return owed and replace(owed, is_proven=is_proven)


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
            has_acted=False,
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
        more = {"counts": event.counts, "is_late": event.late}
        word = Retroactive(row.actor, event.digest, event.yes, row.at, reason=event.reason, **more)
        return replace(owed, words=(*owed.words, word))
    if isinstance(event, payloads.Started | payloads.Remembered):
        return replace(owed, has_acted=True)
    if isinstance(event, payloads.IncidentSeen) and event.opened:
        return replace(owed, incident=owed.incident or event.incident)
    if isinstance(event, payloads.Reviewed):
        return _reviewed(owed, row, event)
    if isinstance(event, payloads.MessageSent):
        return replace(owed, heads=owed.heads | {event.text.partition("\n")[0]})
    if isinstance(event, payloads.Reminded):
        return replace(owed, told=owed.told | {(event.about, event.moment)})
    if isinstance(event, payloads.FollowedUp):
        return _followed_up(owed, event)
    if isinstance(event, payloads.Closed) and event.outcome in NOTHING_LEFT:
        return replace(owed, workaround_until=None)
    return owed


def _reviewed(owed: Aftercare, row: EventRow, event: payloads.Reviewed) -> Aftercare:
    """Return what is owed after a review: the first one settles it, a later one adds what has to be followed up."""
    added = tuple(
        FollowUp(number, each.what, each.owner, each.due, since=row.at)
        for number, each in enumerate(event.follow_ups, 1 + len(owed.follow_ups))
    )
    return replace(
        owed,
        reviewed_at=owed.reviewed_at or row.at,
        reviewed_by=owed.reviewed_by or row.actor,
        reviewers=(*owed.reviewers, row.actor),
        follow_ups=(*owed.follow_ups, *added),
    )


def _followed_up(owed: Aftercare, event: payloads.FollowedUp) -> Aftercare:
    if event.about == "workaround":
        return replace(owed, workaround_until=None if event.done else event.due or owed.workaround_until)
    changed = tuple(
        replace(each, is_done=event.done, owner=event.owner or each.owner, due=event.due or each.due)
        if event.about == each.about
        else each
        for each in owed.follow_ups
    )
    return replace(owed, follow_ups=changed)
