"""Finds changes of the ledger by when they were worked on, what they touch, how they ended and who took part."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from changewindow.documents.canonical import canonical
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.models import FIRST_NUMBER, Approval, Change, EventRow, Touched

ANSWERS = (EventKind.CONFIRMED, EventKind.ANSWERED)
"""Events that a task writes, about what a person has answered."""


@dataclass(frozen=True)
class Wanted:
    """Which changes are looked for; what is None does not matter."""

    since: datetime | None = None
    """Something happened to it at this time, or later."""
    service: str | None = None
    """It touches this service in any environment, or this target."""
    outcome: str | None = None
    person: str | None = None
    """Asked for it, owns or reviews it, or has done something to it."""
    before: int | None = None
    """Its number is lower than this one."""


@dataclass(frozen=True)
class Found:
    """A change that was looked for, with the targets it touches."""

    change: Change
    targets: tuple[str, ...]
    approvers: tuple[str, ...] = ()
    """Who has said yes to its newest text, the first one first."""


def find(ledger: Ledger, wanted: Wanted, *, limit: int | None = None) -> list[Found]:
    """Return the changes that are looked for, newest first."""
    with ledger.reading() as session:
        rows = list(session.scalars(_matching(wanted).limit(limit)))
        named = select(Touched).where(Touched.number.in_([change.number for change in rows]))
        targets: dict[int, list[str]] = {}
        for touched in session.scalars(named.order_by(Touched.target)):
            targets.setdefault(touched.number, []).append(touched.target)
        said_yes = _approvers(session, rows)
        return [Found(row, tuple(targets.get(row.number, ())), tuple(said_yes.get(row.number, ()))) for row in rows]


def _approvers(session: Session, rows: Sequence[Change]) -> dict[int, list[str]]:
    """Return who has said yes to the newest text of each change."""
    digests = {row.number: row.digest for row in rows}
    approvers: dict[int, list[str]] = {}
    said = select(Approval).where(Approval.number.in_(digests), Approval.is_yes).order_by(Approval.id)
    for approval in session.scalars(said):
        if approval.digest == digests[approval.number]:
            approvers.setdefault(approval.number, []).append(approval.person)
    return approvers


def services(ledger: Ledger) -> list[str]:
    """Return every service that a change of the ledger touches."""
    with ledger.reading() as session:
        return sorted({target.partition("/")[2] for target in session.scalars(select(Touched.target).distinct())})


def _matching(wanted: Wanted) -> Select[Change]:
    matching = select(Change).where(Change.number >= FIRST_NUMBER).order_by(Change.number.desc())
    conditions: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        conditions.append(_event(EventRow.at >= wanted.since))
    if wanted.service is not None:
        of_service = Touched.target.endswith(f"/{wanted.service}", autoescape=True)
        touched = select(Touched.number).where(of_service | (Touched.target == wanted.service))
        conditions.append(Change.number.in_(touched))
    if wanted.outcome is not None:
        conditions.append(Change.status == wanted.outcome)
    if wanted.person is not None:
        conditions.append(_took_part(wanted.person))
    if wanted.before is not None:
        conditions.append(Change.number < wanted.before)
    return matching.where(*conditions)


def _took_part(person: str) -> ColumnElement[bool]:
    """Return whether a person took part: names differ by nothing but case from what they are compared with."""
    name = person.strip().lower()
    names = (Change.requester, Change.owner, Change.reviewer)
    answer = EventRow.data.icontains(f'"by":{canonical(person.strip())}', autoescape=True)
    acted = (func.lower(EventRow.actor) == name) | (EventRow.kind.in_(ANSWERS) & answer)
    return or_(*(func.lower(column) == name for column in names), _event(acted))


def _event(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(EventRow.number).where(EventRow.number == Change.number, condition).exists()
