"""Says which findings are looked for, as one statement for the ledger's database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from changewindow.ledger.database import Ledger
from changewindow.ledger.models import FindingRow
from changewindow.policy.world_finding import Kind, State

GOES_ON = and_(FindingRow.kind == "gap", FindingRow.until.is_(None))
"""A gap that has no end yet."""


@dataclass(frozen=True)
class Wanted:
    """Which findings are looked for; what is empty does not matter."""

    service: str = ""
    """Those of this service, and of everybody."""
    state: State | None = None
    collector: str = ""
    kind: Kind | None = None
    is_untold: bool = False
    numbers: Sequence[int] = ()
    """Those with one of these numbers."""
    before: int | None = None
    """Those with a lower number than this one."""
    since: datetime | None = None
    """Those that happened at this time or later, and gaps that were not over by then."""
    until: datetime | None = None
    """Those that happened, or began, before this time."""


def matching(wanted: Wanted) -> Select[FindingRow]:
    """Return the statement that finds the findings that are looked for, the newest first."""
    return select(FindingRow).where(*_of_itself(wanted), *_of_times(wanted)).order_by(FindingRow.id.desc())


def _of_itself(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.service:
        of_service = FindingRow.services.contains(f",{wanted.service},", autoescape=True)
        conditions.append(of_service | (FindingRow.services == ""))
    if wanted.state:
        conditions.append(FindingRow.state == wanted.state)
    if wanted.collector:
        conditions.append(FindingRow.collector == wanted.collector)
    if wanted.kind:
        conditions.append(FindingRow.kind == wanted.kind)
    if wanted.is_untold:
        conditions.append(and_(FindingRow.state == "open", FindingRow.told_at.is_(None)))
    if wanted.numbers:
        conditions.append(FindingRow.id.in_(wanted.numbers))
    return conditions


def _of_times(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.before is not None:
        conditions.append(FindingRow.id < wanted.before)
    if wanted.since is not None:
        conditions.append(or_(FindingRow.at >= wanted.since, FindingRow.until > wanted.since, GOES_ON))
    if wanted.until is not None:
        conditions.append(FindingRow.at < wanted.until)
    return conditions


def collectors(ledger: Ledger) -> list[str]:
    """Return every collector that has a finding."""
    with ledger.reading() as session:
        return list(session.scalars(select(FindingRow.collector).distinct().order_by(FindingRow.collector)))


def open_by_kind(ledger: Ledger) -> dict[str, int]:
    """Return how many findings are open: silent changes as `change`, times nobody could see as `gap`."""
    counted = select(FindingRow.kind, func.count()).where(FindingRow.state == "open").group_by(FindingRow.kind)
    with ledger.reading() as session:
        return {str(kind): int(count) for kind, count in session.execute(counted)}
