"""Reads what people have decided about the texts of changes, for the report on how long they were waited for."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, select

from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Approval, Change, Revision, Touched, identity
from changewindow.policy.approval_waits import Decision
from changewindow.policy.delivered import Choice


def decisions(
    ledger: Ledger, since: datetime, until: datetime, *, choice: Choice, numbers: frozenset[int] | None = None
) -> list[Decision]:
    """Return all decisions about the changes of which one was made between two moments; with `numbers`, of these alone.

    Of a choice, service, environment and owner count.

    Raises:
        LedgerDown: the database does not answer.
    """
    recent = select(Approval.number).where(Approval.at >= since, Approval.at < until)
    is_of_text = (Revision.number == Approval.number) & (Revision.digest == Approval.digest)
    wanted = (
        select(Approval.number, Approval.digest, Approval.role, Revision.at, Approval.at.label("decided"))
        .join(Revision, is_of_text)
        .where(Approval.number.in_(recent), *_chosen(choice))
    )
    with ledger.reading() as session:
        return [
            Decision(identity(number), digest, level, text_at, at)
            for number, digest, level, text_at, at in session.execute(wanted)
            if numbers is None or number in numbers
        ]


def _chosen(choice: Choice) -> Iterator[ColumnElement[bool]]:
    if choice.owner is not None:
        yield Approval.number.in_(select(Change.number).where(Change.owner == choice.owner))
    if choice.service is not None or choice.environment is not None:
        yield Approval.number.in_(select(Touched.number).where(_target(choice)))


def _target(choice: Choice) -> ColumnElement[bool]:
    """Return whether a target is of the environment and the service, as far as they are chosen."""
    if choice.service is None:
        return Touched.target.startswith(f"{choice.environment}/", autoescape=True)
    if choice.environment is None:
        return Touched.target.endswith(f"/{choice.service}", autoescape=True)
    return Touched.target == f"{choice.environment}/{choice.service}"
