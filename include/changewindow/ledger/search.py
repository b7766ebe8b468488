"""Finds changes of the ledger by when they were worked on, what they touch, how they ended and who took part."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Approval, Change, Touched
from changewindow.ledger.search_conditions import Wanted, among, matching

__all__ = ["FACTS", "Found", "Wanted", "find", "services", "targets"]

TOLD = (
    *("summary", "type", "risk", "status", "reason", "requester", "owner", "reviewer", "opens", "closes"),
    *("submitted_at", "closed_at"),
)
"""What programs are told of a change as its row has it."""
FACTS = ("change", *TOLD, "targets", "approvers")


@dataclass(frozen=True)
class Found:
    """A change that was looked for, with the targets it touches."""

    change: Change
    targets: tuple[str, ...]
    approvers: tuple[str, ...] = ()
    """Who has said yes to its newest text, the first one first."""

    @property
    def facts(self) -> dict[str, Any]:
        """Return what programs are told of it, by the names under which they are told."""
        values = {name: getattr(self.change, name) for name in TOLD}
        return {"change": self.change.id, **values, "targets": list(self.targets), "approvers": list(self.approvers)}


def find(ledger: Ledger, wanted: Wanted, *, limit: int | None = None) -> list[Found]:
    """Return the changes that are looked for, newest first."""
    with ledger.reading() as session:
        rows = list(session.scalars(matching(wanted).limit(limit)))
        touched = Touched.number, Touched.target
        named = select(*touched).where(Touched.number.in_([change.number for change in rows]))
        targets: dict[int, list[str]] = {}
        for number, target in session.execute(named.order_by(Touched.target)):
            targets.setdefault(number, []).append(target)
        said_yes = _approvers(session, rows)
        return [Found(row, tuple(targets.get(row.number, ())), tuple(said_yes.get(row.number, ()))) for row in rows]


def _approvers(session: Session, rows: Sequence[Change]) -> dict[int, list[str]]:
    """Return who has said yes to the newest text of each change."""
    digests = {row.number: row.digest for row in rows}
    approvers: dict[int, list[str]] = {}
    said = select(Approval.number, Approval.digest, Approval.person)
    of_some = said.where(Approval.number.in_(digests), Approval.is_yes).order_by(Approval.id)
    for number, digest, person in session.execute(of_some):
        if digest == digests[number]:
            approvers.setdefault(number, []).append(person)
    return approvers


def services(ledger: Ledger) -> list[str]:
    """Return every service that a change of the ledger touches."""
    return sorted({target.partition("/")[2] for target in targets(ledger)})


def targets(ledger: Ledger, numbers: frozenset[int] | None = None) -> list[str]:
    """Return every target that a change of the ledger touches, or one of the changes with these numbers."""
    touched = select(Touched.target).distinct().order_by(Touched.target)
    if numbers is not None:
        touched = touched.where(among(Touched.number, numbers))
    with ledger.reading() as session:
        return list(session.scalars(touched))
