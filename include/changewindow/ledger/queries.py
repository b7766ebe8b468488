"""Looks at many changes of the ledger at once; only reads."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import false, func, or_, select
from sqlalchemy.orm import Session, aliased

from changewindow.ledger.changes import WAITING, revision
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.events import is_id, number, payload
from changewindow.ledger.models import FIRST_NUMBER, Change, EventRow, Revision, Touched, identity
from changewindow.ledger.payloads import Started
from changewindow.policy.conflicts import HOLDING, Other
from changewindow.systems.measurement import Past, PastChange

ACTED = ("running", "completed", "rolled_back", "rollback_failed")
AT_ONCE = 10_000
"""How many ids one statement may name; SQLite takes 32,766."""
RECENT = 200
"""How many of the changes that acted are looked at."""


def of_origin(ledger: Ledger, origin: str) -> Change | None:
    """Return the newest change whose ticket came from this file, or None."""
    with ledger.reading() as session:
        return of_origin_in(session, origin)


def of_origin_in(session: Session, origin: str) -> Change | None:
    """Do the same inside the caller's transaction."""
    return session.scalar(select(Change).where(Change.origin == origin).order_by(Change.number.desc()).limit(1))


def begun(ledger: Ledger) -> datetime | None:
    """Return when the first change was asked for, or None while there is none."""
    with ledger.reading() as session:
        return session.scalar(select(func.min(Change.submitted_at)).where(Change.number >= FIRST_NUMBER))


def with_status(ledger: Ledger, *statuses: str) -> list[Change]:
    """Return the changes in these states, oldest first."""
    with ledger.reading() as session:
        return list(session.scalars(select(Change).where(Change.status.in_(statuses)).order_by(Change.number)))


def with_event(ledger: Ledger, kind: EventKind, *statuses: str) -> list[str]:
    """Return the changes in these states in whose history such an event stands, oldest first."""
    has_one = select(EventRow.number).where(EventRow.kind == kind)
    wanted = select(Change.number).where(Change.status.in_(statuses), Change.number.in_(has_one))
    with ledger.reading() as session:
        return [identity(number) for number in session.scalars(wanted.order_by(Change.number))]


def newest_texts(ledger: Ledger, *statuses: str, closed_after: datetime | None = None) -> dict[str, str]:
    """Return the newest text, as it is stored, of each change in these states; empty where the ledger has lost it."""
    is_newest = (Revision.number == Change.number) & (Revision.digest == Change.digest)
    wanted = select(Change.number, Revision.text).outerjoin(Revision, is_newest).where(Change.status.in_(statuses))
    if closed_after is not None:
        wanted = wanted.where(Change.closed_at > closed_after)
    with ledger.reading() as session:
        rows = session.execute(wanted.order_by(Change.number))
        return {f"CHG-{number}": text or "" for number, text in rows}


def digests(ledger: Ledger, change: str) -> frozenset[str]:
    """Return the digest of each text of a change, in whatever state the texts are."""
    with ledger.reading() as session:
        return frozenset(session.scalars(select(Revision.digest).where(Revision.number == number(change))))


def of_ids(ledger: Ledger, identities: Iterable[str]) -> list[Change]:
    """Return the changes with these ids that the ledger knows, oldest first, however many there are."""
    numbers = sorted(number(name) for name in identities if is_id(name))
    with ledger.reading() as session:
        return [
            change
            for place in range(0, len(numbers), AT_ONCE)
            for change in session.scalars(
                select(Change).where(Change.number.in_(numbers[place : place + AT_ONCE])).order_by(Change.number)
            )
        ]


def of_services(ledger: Ledger, services: Iterable[str], change: str = "") -> frozenset[str]:
    """Return the changes that touch one of these services, in any environment; or one change alone, if it does."""
    touching = or_(false(), *(Touched.target.endswith(f"/{service}", autoescape=True) for service in services))
    wanted = select(Touched.number).where(touching)
    if change:
        wanted = wanted.where(Touched.number == number(change))
    with ledger.reading() as session:
        return frozenset(map(identity, session.scalars(wanted)))


def others(ledger: Ledger, opens: datetime, closes: datetime, *, but: str = "") -> list[Other]:
    """Return the changes that wait or act within a time, and those that hold their targets whatever the time."""
    with ledger.reading() as session:
        return others_in(session, opens, closes, but=but)


def others_in(session: Session, opens: datetime, closes: datetime, *, but: str = "") -> list[Other]:
    """Return the same inside a transaction."""
    is_near = Change.status.in_(WAITING) & (Change.opens < closes) & (Change.closes > opens)
    rows = session.execute(
        select(Change, Touched.target)
        .join(Touched, Touched.number == Change.number)
        .where(is_near | Change.status.in_(HOLDING))
    ).all()
    targets: dict[int, list[str]] = {}
    near = {}
    for change, target in rows:
        near[change.number] = change
        targets.setdefault(change.number, []).append(target)
    return [_other(near[key], targets[key]) for key in sorted(near) if near[key].id != but]


def past(ledger: Ledger, change: str, environment: str) -> Past:
    """Return the ticket of a change, and the changes that acted on its services in an environment.

    Raises:
        LedgerUnknown: there is no such change.
    """
    data = revision(ledger, change)
    return Past(data, tuple(acted_on(ledger, [f"{environment}/{service}" for service in data["services"]])))


def acted_on(ledger: Ledger, targets: Sequence[str]) -> list[PastChange]:
    """Return the changes that acted on one of the targets, newest first; one that acts now is the newest."""
    other = aliased(EventRow)
    first = select(func.min(other.sequence)).where(other.number == Change.number, other.kind == EventKind.STARTED)
    is_start = (EventRow.number == Change.number) & (EventRow.sequence == first.correlate(Change).scalar_subquery())
    newest_first = (
        select(Change, Revision.text, EventRow)
        .select_from(Change)
        .join(Revision, (Revision.number == Change.number) & (Revision.digest == Change.digest))
        .outerjoin(EventRow, is_start)
        .where(Change.status.in_(ACTED), Change.number.in_(select(Touched.number).where(Touched.target.in_(targets))))
        .order_by(Change.closed_at.is_not(None), Change.closed_at.desc())
        .limit(RECENT)
    )
    with ledger.reading() as session:
        return [
            PastChange(
                change.id,
                change.status,
                change.reason,
                began=start.at if start else change.opens,
                closed=change.closed_at,
                ticket=json.loads(text),
                values=_chosen(start),
            )
            for change, text, start in session.execute(newest_first)
        ]


def _chosen(start: EventRow | None) -> dict[str, Any]:
    """Return what was chosen for a change's parameters when it started, as far as that is known."""
    started = payload(start) if start else None
    return started.values if isinstance(started, Started) else {}


def ended_by_hand(ledger: Ledger, since: datetime) -> dict[str, str]:
    """Return why changes were aborted, or cancelled since a moment, by change."""
    with ledger.reading() as session:
        is_recent = (Change.status == "cancelled") & (Change.closed_at > since)
        ended = session.scalars(select(Change).where(Change.aborted.is_not(None) | is_recent))
        return {change.id: change.aborted or change.reason for change in ended}


WAY_BACK = (
    *(EventKind.APPLIED, EventKind.APPLY_FAILED, EventKind.WATCHED, EventKind.DECIDED, EventKind.VALIDATED),
    EventKind.RUN_DIED,
    *(EventKind.UNDOING, EventKind.UNDO_FAILED, EventKind.UNDO_STOPPED),
    *(EventKind.VERIFIED, EventKind.NOT_VERIFIED, EventKind.ABORTED),
)
"""After these a change that acts needs a worker at once: to be watched, rolled back or closed. Not while it is verified
that everything is as before, which may take long and needs none."""


def on_the_way_back(ledger: Ledger) -> int:
    """Return how many changes that act need a worker for what follows after their last step."""
    other = aliased(EventRow)
    newest = select(func.max(other.sequence)).where(other.number == Change.number).correlate(Change)
    is_newest = (EventRow.number == Change.number) & (EventRow.sequence == newest.scalar_subquery())
    count = select(func.count()).select_from(Change).join(EventRow, is_newest)
    with ledger.reading() as session:
        return session.scalar(count.where(Change.status == "running", EventRow.kind.in_(WAY_BACK))) or 0


def _other(change: Change, targets: list[str]) -> Other:
    return Other(
        change=change.id,
        targets=tuple(sorted(targets)),
        opens=change.opens,
        closes=change.closes,
        owner=change.owner,
        reviewer=change.reviewer,
        status=change.status,
    )
