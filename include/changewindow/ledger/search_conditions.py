"""Says which changes are looked for, as one statement for the ledger's database."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BindParameter, ColumnElement, Select, String, bindparam, cast, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, aliased

from changewindow.documents.canonical import canonical
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.models import FIRST_NUMBER, Change, EventRow, Touched

ANSWERS = (EventKind.CONFIRMED, EventKind.ANSWERED)
"""Events that a task writes, about what a person has answered."""
OF_TASKS = frozenset(
    (
        *(
            EventKind.STARTED,
            EventKind.CHECKED,
            EventKind.BASELINE,
            EventKind.REMEMBERED,
            EventKind.APPLIED,
            EventKind.UNDOING,
        ),
        *(EventKind.UNDONE, EventKind.WATCHING, EventKind.READ, EventKind.WATCHED, EventKind.VALIDATED),
        *(EventKind.VERIFIED, EventKind.NOT_VERIFIED, EventKind.MESSAGE_SENT, EventKind.MARKER_SENT, EventKind.CLOSED),
    )
)
"""Events that only tasks write, in their own names; there are many of them, and no person has done any."""
BY_PEOPLE = tuple(kind for kind in EventKind if kind not in OF_TASKS)
ENDING = aliased(EventRow)


@dataclass(frozen=True)
class Wanted:
    """Which changes are looked for; what is None does not matter."""

    since: datetime | None = None
    """Something happened to it at this time, or later."""
    asked_since: datetime | None = None
    """It was asked for at this time, or later."""
    until: datetime | None = None
    """It was asked for before this time."""
    ended_since: datetime | None = None
    """It ended at this time, or later."""
    ended_until: datetime | None = None
    """It ended before this time."""
    service: str | None = None
    """It touches this service in any environment, or this target."""
    environment: str | None = None
    """It touches something there."""
    outcome: str | None = None
    type: str | None = None
    """normal, standard or emergency."""
    risk: str | None = None
    """low, medium or high."""
    outcomes: tuple[str, ...] = ()
    """It is in one of these states; empty: in any."""
    person: str | None = None
    """Asked for it, owns or reviews it, or has done something to it."""
    requester: str | None = None
    owner: str | None = None
    text: str | None = None
    """Stands in its id, its summary or the reason of its outcome, in whatever case.

    Among some numbers no reason is looked at: it may name a change that is none of them."""
    before: int | None = None
    """Its number is lower than this one."""
    numbers: frozenset[int] | None = None
    """It has one of these numbers."""


def matching(wanted: Wanted) -> Select[Change]:
    """Return the statement that finds the changes that are looked for, newest first."""
    found = select(Change).where(Change.number >= FIRST_NUMBER).order_by(Change.number.desc())
    return found.where(*_of_times(wanted), *_of_targets(wanted), *_of_people(wanted), *_of_itself(wanted))


def among(column: InstrumentedAttribute[int], numbers: frozenset[int]) -> ColumnElement[bool]:
    """Return whether a number is one of these, of which there may be more than a statement has variables."""
    listed: BindParameter[int] = bindparam(
        "numbers", sorted(numbers), expanding=True, literal_execute=True, unique=True
    )
    return column.in_(listed)


def _of_times(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        conditions.append(_happened(wanted.since))
    if wanted.asked_since is not None:
        conditions.append(Change.submitted_at >= wanted.asked_since)
    if wanted.until is not None:
        conditions.append(Change.submitted_at < wanted.until)
    if wanted.ended_since is not None:
        conditions.append(Change.closed_at >= wanted.ended_since)
    if wanted.ended_until is not None:
        conditions.append(Change.closed_at < wanted.ended_until)
    return conditions


def _of_targets(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.service is not None:
        of_service = Touched.target.endswith(f"/{wanted.service}", autoescape=True)
        conditions.append(of_service | (Touched.target == wanted.service))
    if wanted.environment is not None:
        conditions.append(Touched.target.startswith(f"{wanted.environment}/", autoescape=True))
    return [Change.number.in_(select(Touched.number).where(*conditions))] if conditions else []


def _of_people(wanted: Wanted) -> list[ColumnElement[bool]]:
    named = ((Change.requester, wanted.requester), (Change.owner, wanted.owner))
    conditions = [_is(column, name) for column, name in named if name is not None]
    return [*conditions, _took_part(wanted.person)] if wanted.person is not None else conditions


def _of_itself(wanted: Wanted) -> list[ColumnElement[bool]]:
    named = ((Change.status, wanted.outcome), (Change.type, wanted.type), (Change.risk, wanted.risk))
    conditions: list[ColumnElement[bool]] = [column == name for column, name in named if name is not None]
    if wanted.outcomes:
        conditions.append(Change.status.in_(wanted.outcomes))
    if wanted.text is not None:
        conditions.append(_says(wanted.text, among_all=wanted.numbers is None))
    if wanted.before is not None:
        conditions.append(Change.number < wanted.before)
    if wanted.numbers is not None:
        conditions.append(among(Change.number, wanted.numbers))
    return conditions


def _says(text: str, *, among_all: bool) -> ColumnElement[bool]:
    """Return whether a text stands in what people read of a change; its id is made from its number."""
    named = (literal("CHG-") + cast(Change.number, String)).icontains(text, autoescape=True)
    columns = (Change.summary, Change.reason) if among_all else (Change.summary,)
    return or_(named, *(column.icontains(text, autoescape=True) for column in columns))


def _is(column: InstrumentedAttribute[str], name: str) -> ColumnElement[bool]:
    """Return whether a column holds a name: names differ by nothing but case from what they are compared with."""
    return func.lower(column) == name.strip().lower()


def _took_part(person: str) -> ColumnElement[bool]:
    """Return whether a person took part. Events are found by their kind, for which there is an index."""
    answer = EventRow.data.icontains(f'"by":{canonical(person.strip())}', autoescape=True)
    acted = EventRow.kind.in_(BY_PEOPLE) & _is(EventRow.actor, person)
    did = select(EventRow.number).where(acted).union(select(EventRow.number).where(EventRow.kind.in_(ANSWERS), answer))
    names = (Change.requester, Change.owner, Change.reviewer)
    return or_(*(_is(column, person) for column in names), Change.number.in_(did))


def _happened(since: datetime) -> ColumnElement[bool]:
    """Return whether something happened since a moment.

    Of a change that has ended, only its end and what came after it can have: so most events need not be read.
    """
    end = select(func.max(ENDING.sequence)).where(ENDING.number == Change.number, ENDING.kind == EventKind.CLOSED)
    later = EventRow.sequence > func.coalesce(end.correlate(Change).scalar_subquery(), 0)
    event = select(EventRow.number).where(EventRow.number == Change.number, later, EventRow.at >= since).exists()
    return or_(Change.closed_at >= since, event)
