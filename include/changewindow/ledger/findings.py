"""Findings in the world: each is made once, told to its owner, and open until it is recorded, reverted or accepted.

The events of their record say what counts; the rows beside them are for people who look.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from changewindow.errors import OperatorError
from changewindow.ledger import payloads
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, append
from changewindow.ledger.findings_search import Wanted, matching
from changewindow.ledger.looks import ACTOR, Look, keep
from changewindow.ledger.models import FINDINGS, FindingRow
from changewindow.policy.world_finding import State, WorldFinding

IS_OVER = "its acceptance has ended"
COPIED = (
    *("kind", "collector", "object", "at", "until", "what", "why", "before", "after", "by", "known_by"),
    "environment",
)
"""What a row has as its finding has it."""


@dataclass(frozen=True)
class Recorded:
    """A finding as its events have it."""

    number: int
    finding: WorldFinding
    made_at: datetime
    state: State = "open"
    person: str = ACTOR
    reason: str = ""
    changed_at: datetime | None = None
    expires_at: datetime | None = None
    told_at: datetime | None = None

    @property
    def values(self) -> dict[str, object]:
        """Return what stands in its row."""
        own = ("made_at", "state", "person", "reason", "expires_at", "told_at")
        return {
            "id": self.number,
            "identity": self.finding.identity,
            **{name: getattr(self.finding, name) for name in COPIED},
            "services": _list(self.finding.services),
            **{name: getattr(self, name) for name in own},
            "changed_at": self.changed_at or self.made_at,
        }


class UnknownFinding(OperatorError):
    """The ledger has no such finding."""

    def __init__(self, number: int) -> None:
        super().__init__(f"The ledger has no finding {number}. `changewindow findings` lists them.")


class FindingOver(OperatorError):
    """A finding is not open any more."""


@dataclass(frozen=True)
class Settled:
    """What becomes of a finding."""

    number: int
    state: State
    reason: str
    until: datetime | None = None
    """Until when it is accepted."""


def find(ledger: Ledger, wanted: Wanted, *, limit: int | None = None) -> list[Recorded]:
    """Return the findings that are looked for, the newest first."""
    with ledger.reading() as session:
        return [_of_row(row) for row in session.scalars(matching(wanted).limit(limit))]


def count_open(ledger: Ledger) -> int:
    """Return how many findings are open."""
    with ledger.reading() as session:
        count = select(func.count()).select_from(FindingRow).where(FindingRow.state == "open")
        return session.scalar(count) or 0


def write_pass(
    ledger: Ledger, looks: Iterable[Look], found: Sequence[WorldFinding], settled: Sequence[Settled], *, now: datetime
) -> list[int]:
    """Write what a pass has found, all of it or nothing; return the numbers of findings that are new.

    What is there already is not found again, so that a pass may be repeated. What was accepted until a moment that
    has passed is open again.
    """
    with ledger.transaction() as session:
        for look in looks:
            keep(session, look, now)
        new = [_make(session, finding, now) for finding in found if not _is_known(session, finding)]
        still = set(session.scalars(select(FindingRow.id).where(FindingRow.state == "open")))
        for each in (*(each for each in settled if each.number in still), *_ended_acceptances(session, now)):
            _settle(session, each, person=ACTOR, now=now)
        return new


def numbered(ledger: Ledger, numbers: Sequence[int]) -> list[Recorded]:
    """Return the findings with these numbers.

    Raises:
        UnknownFinding: there is none with one of them.
    """
    with ledger.reading() as session:
        return [_of_row(_row(session, number)) for number in numbers]


def settle(ledger: Ledger, settled: Sequence[Settled], *, person: str, now: datetime) -> list[Recorded]:
    """Bring findings that are open into another state, all of them or none; return them.

    Raises:
        UnknownFinding: there is none with one of the numbers.
        FindingOver: one is not open.
    """
    with ledger.transaction() as session:
        return [_of_row(_settled(session, each, person=person, now=now)) for each in settled]


def _settled(session: Session, settled: Settled, *, person: str, now: datetime) -> FindingRow:
    row = _row(session, settled.number)
    if row.state != "open":
        raise FindingOver(f"Finding {row.id} is {row.state} already, by {row.person}: {row.reason}. Nothing was done.")
    _settle(session, settled, person=person, now=now)
    return row


def _row(session: Session, number: int) -> FindingRow:
    row = session.get(FindingRow, number, with_for_update=True)
    if row is None:
        raise UnknownFinding(number)
    return row


def settle_open(session: Session, settled: Settled, *, person: str, now: datetime) -> bool:
    """Bring a finding into another state inside the caller's transaction, if it is open; return whether it was."""
    row = session.get(FindingRow, settled.number, with_for_update=True)
    if row is None or row.state != "open":
        return False
    _settle(session, settled, person=person, now=now)
    return True


def tell(ledger: Ledger, numbers: Sequence[int], room: str, *, now: datetime) -> None:
    """Take note that the owners were told of findings."""
    with ledger.transaction() as session:
        for row in session.scalars(select(FindingRow).where(FindingRow.id.in_(numbers))):
            row.told_at = now
        append(session, Event(FINDINGS, ACTOR, now, payloads.FindingTold(told=tuple(numbers), room=room)))


def _is_known(session: Session, finding: WorldFinding) -> bool:
    return session.scalar(select(FindingRow.id).where(FindingRow.identity == finding.identity)) is not None


def _make(session: Session, finding: WorldFinding, now: datetime) -> int:
    values = Recorded(0, finding, now).values
    row = FindingRow(**{name: value for name, value in values.items() if name != "id"})
    session.add(row)
    session.flush()
    made = payloads.FindingMade(
        finding=row.id,
        about=finding.kind,
        collector=finding.collector,
        object=finding.object,
        happened=finding.at,
        end=finding.until,
        what=finding.what,
        why=finding.why,
        was=finding.before,
        became=finding.after,
        by=finding.by,
        known_by=finding.known_by,
        environment=finding.environment,
        services=finding.services,
    )
    append(session, Event(FINDINGS, ACTOR, now, made))
    return row.id


def _settle(session: Session, settled: Settled, *, person: str, now: datetime) -> None:
    row = session.get_one(FindingRow, settled.number)
    row.state, row.reason, row.person = settled.state, settled.reason, person
    row.changed_at, row.expires_at, row.told_at = now, settled.until, None
    changed = payloads.FindingChanged(
        finding=settled.number, state=settled.state, reason=settled.reason, until=settled.until
    )
    append(session, Event(FINDINGS, person, now, changed))


def _ended_acceptances(session: Session, now: datetime) -> list[Settled]:
    ended = select(FindingRow.id).where(FindingRow.state == "accepted", FindingRow.expires_at <= now)
    return [Settled(number, "open", IS_OVER) for number in session.scalars(ended)]


def _of_row(row: FindingRow) -> Recorded:
    services = tuple(row.services.strip(",").split(",")) if row.services else ()
    finding = WorldFinding(**{name: getattr(row, name) for name in COPIED}, services=services)
    own = ("made_at", "state", "person", "reason", "changed_at", "expires_at", "told_at")
    return Recorded(row.id, finding, **{name: getattr(row, name) for name in own})


def _list(names: Sequence[str]) -> str:
    return f",{','.join(names)}," if names else ""
