"""Says what is going on at one moment: what acts, what comes, who has to answer, what is held and what forbids it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from changewindow.changes.known_change import Unreadable, known_changes
from changewindow.changes.present_acting import Acting, acting
from changewindow.changes.present_limits import Held, InForce, held, in_force
from changewindow.changes.present_owed import Owed, owed, retroactive_answers, unreadable
from changewindow.changes.present_waiting import HOUR, Answer, Around, Coming, answers, coming
from changewindow.errors import BadPolicy, ChangeError
from changewindow.ledger import owing
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Change, Lease
from changewindow.ledger.queries import others_in
from changewindow.ledger.stops import stops_in
from changewindow.policy.model import Policy
from changewindow.policy.standing import LineStop

T = TypeVar("T")
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Part(Generic[T]):
    """What is known of one question; nothing is only nothing where it is known."""

    items: tuple[T, ...] = ()
    unknown: str = ""
    """Why nobody can say it, or not all of it."""


@dataclass(frozen=True)
class Present:
    """What is going on; each part says itself whether it is known."""

    acting: Part[Acting]
    coming: Part[Coming]
    answers: Part[Answer]
    stops: Part[LineStop]
    held: Part[Held]
    owed: Part[Owed]
    calendar: Part[InForce]
    unreadable: tuple[Unreadable, ...] = ()
    """Changes of whose record nothing is to be believed."""


@dataclass(frozen=True)
class Asked:
    """What is asked: when, under which policy, and about which changes."""

    policy: Policy | BadPolicy
    now: datetime
    numbers: frozenset[int] | None
    """None: about every change."""

    def is_about(self, number: int) -> bool:
        """Return whether a change is meant."""
        return self.numbers is None or number in self.numbers


def present(
    ledger: Ledger | ChangeError, policy: Policy | BadPolicy, now: datetime, numbers: frozenset[int] | None
) -> Present:
    """Return what is going on now, of the changes with these numbers; None means of every change.

    It raises nothing for what cannot be read: the parts that need it say so, and the others are there.
    """
    asked = Asked(policy, now, numbers)
    try:
        if isinstance(ledger, ChangeError):
            raise ledger
        with ledger.reading() as session:
            return _present(ledger, session, asked)
    except ChangeError as error:
        nothing: Part[T] = Part(unknown=str(error))  # type: ignore[valid-type]
        return Present(nothing, nothing, nothing, nothing, nothing, nothing, _calendar(asked))


def _present(ledger: Ledger, session: Session, asked: Asked) -> Present:
    now, policy = asked.now, asked.policy
    leases = session.scalars(select(Lease).order_by(Lease.target)).all()
    stops, line = _tried(lambda: stops_in(session, now))
    read, changes = _tried(lambda: known_changes(session, _open_changes(session, asked)))
    debts, after = _tried(lambda: owing.ever(ledger, asked.numbers))
    known, broken = read or ([], [])
    around = Around(policy, leases, others_in(session, now, now), stops or (), asked.numbers)
    wanted = sorted(
        (*answers(known, policy, now), *retroactive_answers(debts or {}, policy)), key=lambda row: row.until or NEVER
    )
    return Present(
        acting=Part(tuple(acting(session, known, leases, now)), changes),
        coming=Part(tuple(coming(known, around, now)), changes),
        answers=Part(tuple(wanted), changes or after),
        stops=Part(stops or (), line),
        held=Part(tuple(held(leases, _statuses(session, leases, asked), now))),
        owed=Part(tuple(owed(debts or {}, now)), after),
        calendar=_calendar(asked),
        unreadable=tuple(dict.fromkeys((*broken, *unreadable(debts or {})))),
    )


def _tried(ask: Callable[[], T]) -> tuple[T | None, str]:
    """Return an answer, or why there is none."""
    try:
        return ask(), ""
    except ChangeError as error:
        return None, str(error)


def _open_changes(session: Session, asked: Asked) -> Iterable[Change]:
    """Return the changes that act, wait for an approval, or may start within the hour."""
    is_near = (Change.status == "approved") & (Change.opens <= asked.now + HOUR)
    statement = select(Change).where(or_(Change.status.in_(("running", "submitted")), is_near))
    return [row for row in session.scalars(statement.order_by(Change.number)) if asked.is_about(row.number)]


def _statuses(session: Session, leases: Sequence[Lease], asked: Asked) -> dict[int, str]:
    wanted = {lease.number for lease in leases if asked.is_about(lease.number)}
    rows = session.execute(select(Change.number, Change.status).where(Change.number.in_(wanted)))
    return {number: status for number, status in rows}  # noqa: C416  a result has `keys`, so that dict() misreads it


def _calendar(asked: Asked) -> Part[InForce]:
    if isinstance(asked.policy, BadPolicy):
        return Part(unknown=str(asked.policy))
    return Part(tuple(in_force(asked.policy.schedule, asked.now, HOUR)))
