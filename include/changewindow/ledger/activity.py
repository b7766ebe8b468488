"""Reads what was deployed and decided in a time in few statements; what is read of a change is kept until it moves."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import URL, Row, select
from sqlalchemy.orm import Session

from changewindow.ledger import courses
from changewindow.ledger.courses import Course, Happened
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.models import FIRST_NUMBER, Approval, Change, EventRow, Revision, Touched, identity
from changewindow.policy.approval_waits import Decision, Waited, waited
from changewindow.policy.delivered import BY_HAND, NOT_KNOWN, Delivered
from changewindow.policy.manual_change import RECORDED

AT_ONCE = 10_000
"""How many changes one statement reads; SQLite takes 32,766 values."""
MOST = 20_000
"""How many changes of one ledger are kept in memory."""
COURSE = (EventKind.STARTED, EventKind.CLOSED, EventKind.DECLARED)
WAY_BACK = (EventKind.DECIDED, EventKind.ABORTED, EventKind.UNDOING)
Mark = tuple[str | None, str]
"""How a change stands: its head moves with each event."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What was read of a change, and how it stood then."""

    mark: Mark
    delivered: Delivered | None
    """None: it is no deployment, or none yet."""
    waited: tuple[Waited, ...]


@dataclass(frozen=True)
class Where:
    """What a change touches."""

    environment: str
    services: tuple[str, ...]


@dataclass(frozen=True)
class Activity:
    """What was deployed in a time, and what was decided about changes; in no order."""

    delivered: list[Delivered]
    waited: list[Waited]


def activity(ledger: Ledger, since: datetime, until: datetime, numbers: frozenset[int] | None = None) -> Activity:
    """Return what was deployed and decided between two moments; with `numbers`, of these changes alone.

    It is what the rows say: whether they were altered, `changewindow verify` tells.

    Raises:
        LedgerDown: the database does not answer.
    """
    kept = _kept(ledger.url)
    with ledger.reading() as session:
        marks = {number: mark for number, mark in _marks(session, since) if numbers is None or number in numbers}
        known = {number: each for number in marks if (each := kept.get(number)) and each.mark == marks[number]}
        missing = sorted(marks.keys() - known)
        read = {number: Kept(marks[number], row, waits) for number, row, waits in _read(session, missing)}
    if len(kept) + len(read) > MOST:
        kept.clear()
    kept.update(read)
    every = (*known.values(), *read.values())
    rows = [row for each in every if (row := each.delivered) and since <= row.began < until]
    waited = [one for each in every for one in each.waited if since <= one.at < until]
    return Activity(rows, waited)


@lru_cache(maxsize=4)
def _kept(_url: URL) -> dict[int, Kept]:
    """Return what is known of a ledger, by number."""
    return {}


def _marks(session: Session, since: datetime) -> Iterable[tuple[int, Mark]]:
    """Yield how each change stands that was not over before a moment."""
    is_recent = Change.closed_at.is_(None) | (Change.closed_at >= since)
    wanted = select(Change.number, Change.head, Change.status).where(is_recent, Change.number >= FIRST_NUMBER)
    return ((number, (head, status)) for number, head, status in session.execute(wanted))


def _read(session: Session, numbers: Sequence[int]) -> Iterator[tuple[int, Delivered | None, tuple[Waited, ...]]]:
    for place in range(0, len(numbers), AT_ONCE):
        some = numbers[place : place + AT_ONCE]
        ran, targets, decisions = _courses(session, some), _targets(session, some), _decisions(session, some)
        for row in session.execute(_texts(some)):
            number, where = row.number, _where(targets[row.number])
            waits = (_waited(row, where, *wait) for wait in waited(decisions[number]))
            yield number, _delivered(row, where, ran.get(number)), tuple(waits)


def _texts(numbers: Sequence[int]) -> Any:
    """Return the statement for the newest text of each change, with what its row says."""
    is_newest = (Revision.number == Change.number) & (Revision.digest == Change.digest)
    of_row = (Change.number, Change.status, Change.owner, Change.submitted_at, Change.opens, Change.closes)
    return select(*of_row, Revision.text).outerjoin(Revision, is_newest).where(Change.number.in_(numbers))


def _targets(session: Session, numbers: Sequence[int]) -> dict[int, list[str]]:
    targets = defaultdict(list)
    wanted = select(Touched.number, Touched.target).where(Touched.number.in_(numbers)).order_by(Touched.target)
    for number, target in session.execute(wanted):
        targets[number].append(target)
    return targets


def _decisions(session: Session, numbers: Sequence[int]) -> dict[int, list[Decision]]:
    decisions = defaultdict(list)
    is_of_text = (Revision.number == Approval.number) & (Revision.digest == Approval.digest)
    wanted = select(Approval.number, Approval.digest, Approval.role, Revision.at, Approval.at.label("decided"))
    rows = session.execute(wanted.join(Revision, is_of_text).where(Approval.number.in_(numbers)))
    for number, digest, level, text_at, at in rows:
        decisions[number].append(Decision(digest, level, text_at, at))
    return decisions


def _courses(session: Session, numbers: Sequence[int]) -> dict[int, Course]:
    """Return the course of each change that was deployed."""
    events = _events(session, numbers, COURSE)
    ran = {number: found for number, happened in events.items() if (found := courses.course(happened))}
    way_back = _events(session, [number for number, found in ran.items() if found.has_failed], WAY_BACK)
    return ran | {number: courses.with_way_back(ran[number], happened) for number, happened in way_back.items()}


def _events(session: Session, numbers: Sequence[int], kinds: Iterable[EventKind]) -> dict[int, list[Happened]]:
    events = defaultdict(list)
    wanted = select(EventRow.number, EventRow.kind, EventRow.at, EventRow.data)
    of_them = wanted.where(EventRow.number.in_(numbers), EventRow.kind.in_(list(kinds)))
    for number, kind, at, data in session.execute(of_them.order_by(EventRow.number, EventRow.sequence)):
        events[number].append(Happened(kind, at, json.loads(data)))
    return events


def _delivered(row: Row[Any], where: Where, ran: Course | None) -> Delivered | None:
    if row.status == RECORDED:
        return _by_hand(row, where)
    if ran is None or row.status == "running":
        return None
    ticket = courses.ticket_of(row.text)
    kind = "emergency" if ran.is_declared else str(ticket.get("type", NOT_KNOWN))
    return Delivered(
        *(identity(row.number), kind, str(ticket.get("risk", NOT_KNOWN))),
        environment=where.environment,
        services=where.services,
        owner=row.owner,
        began=ran.began,
        ended=ran.ended,
        asked=row.submitted_at,
        closes=row.closes,
        has_failed=ran.has_failed,
        failing=ran.failing,
        recovered=ran.recovered,
        is_unplanned=kind == "emergency",
        longest=courses.longest(ticket),
        rollback_estimate=courses.rollback_estimate(ticket),
    )


def _by_hand(row: Row[Any], where: Where) -> Delivered:
    return Delivered(
        *(identity(row.number), BY_HAND, NOT_KNOWN),
        environment=where.environment,
        services=where.services,
        owner=row.owner,
        began=row.opens,
        ended=row.closes,
        is_unplanned=bool(courses.ticket_of(row.text).get("incident")),
    )


def _waited(row: Row[Any], where: Where, decision: Decision, seconds: float) -> Waited:
    return Waited(
        *(identity(row.number), decision.level, decision.at, seconds),
        environment=where.environment,
        services=where.services,
        owner=row.owner,
    )


def _where(targets: Sequence[str]) -> Where:
    environment = targets[0].partition("/")[0] if targets else NOT_KNOWN
    return Where(environment, tuple(target.partition("/")[2] for target in targets))
