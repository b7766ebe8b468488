"""Finds the changes that a stretch of time holds, for calendars."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from changewindow.calendar.intervals import Interval
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import FIRST_NUMBER, Change, EventRow, Touched, identity
from changewindow.policy.conflicts import Other


@dataclass(frozen=True)
class Wanted:
    """Which changes a calendar shows; what is empty does not matter."""

    service: str = ""
    environment: str = ""
    owner: str = ""
    """Whatever its case."""


@dataclass(frozen=True)
class Planned:
    """A change in a calendar."""

    number: int
    summary: str
    status: str
    reason: str
    """Why it ended as it did."""
    opens: datetime
    closes: datetime
    owner: str
    reviewer: str
    submitted_at: datetime
    targets: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Return the name of the change, such as CHG-1042."""
        return identity(self.number)

    @property
    def window(self) -> Interval:
        """Return its window."""
        return Interval(self.opens, self.closes)

    @property
    def other(self) -> Other:
        """Return what has to be known to see whether it overlaps with another one."""
        people = {"owner": self.owner, "reviewer": self.reviewer}
        return Other(self.id, self.targets, self.opens, self.closes, status=self.status, **people)


@dataclass(frozen=True)
class Newest:
    """The newest event of a change."""

    sequence: int
    at: datetime


COLUMNS = (
    *(Change.number, Change.summary, Change.status, Change.reason, Change.opens, Change.closes),
    *(Change.owner, Change.reviewer, Change.submitted_at),
)


def planned(
    ledger: Ledger, within: Interval, wanted: Wanted, *, numbers: frozenset[int] | None = None, limit: int
) -> list[Planned]:
    """Return the changes whose windows meet an interval, in order of time, and no more of them than a limit.

    With `numbers` only those of them: what that leaves out counts for nothing, the limit included.
    """
    with ledger.reading() as session:
        rows = session.execute(_matching(within, wanted))
        seen = list(islice((row for row in rows if numbers is None or row.number in numbers), limit))
        targets = _targets(session, [row.number for row in seen])
        return [Planned(*row, tuple(targets.get(row.number, ()))) for row in seen]


def newest_events(ledger: Ledger, numbers: Sequence[int]) -> dict[int, Newest]:
    """Return the newest event of each of these changes, 10,000 at most."""
    newest = select(EventRow.number, func.max(EventRow.sequence), func.max(EventRow.at))
    with ledger.reading() as session:
        rows = session.execute(newest.where(EventRow.number.in_(numbers)).group_by(EventRow.number))
        return {number: Newest(sequence, at) for number, sequence, at in rows}


def _matching(within: Interval, wanted: Wanted) -> Select[int, str, str, str, datetime, datetime, str, str, datetime]:
    """Return the statement; what is recorded as done within a moment has a window without any length."""
    meets = (Change.opens < within.end) & or_(Change.closes > within.start, Change.opens >= within.start)
    conditions: list[ColumnElement[bool]] = [Change.number >= FIRST_NUMBER, meets]
    if wanted.owner:
        conditions.append(func.lower(Change.owner) == wanted.owner.lower())
    if wanted.service or wanted.environment:
        conditions.append(Change.number.in_(select(Touched.number).where(_touches(wanted))))
    return select(*COLUMNS).where(*conditions).order_by(Change.opens, Change.number)


def _touches(wanted: Wanted) -> ColumnElement[bool]:
    if wanted.service and wanted.environment:
        return Touched.target == f"{wanted.environment}/{wanted.service}"
    if wanted.service:
        return Touched.target.endswith(f"/{wanted.service}", autoescape=True)
    return Touched.target.startswith(f"{wanted.environment}/", autoescape=True)


def _targets(session: Session, numbers: Sequence[int]) -> dict[int, list[str]]:
    targets: dict[int, list[str]] = {}
    touched = select(Touched).where(Touched.number.in_(numbers)).order_by(Touched.target)
    for row in session.scalars(touched):
        targets.setdefault(row.number, []).append(row.target)
    return targets
