"""Reads what the ledger knows of a change at one moment, for those who decide whether it may act or be approved."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from changewindow.ledger.models import Approval, Change, Lease
from changewindow.ledger.queries import others_in
from changewindow.ledger.stops import stops_in
from changewindow.policy.sign_off import RecordedApproval
from changewindow.policy.standing import HeldTarget, Standing


def standing_of(session: Session, change: Change) -> Standing:
    """Return state and approvals of a change, inside a transaction."""
    rows = session.scalars(select(Approval).where(Approval.number == change.number).order_by(Approval.id))
    approvals = (RecordedApproval(row.person, row.digest, row.is_yes, row.expires_at, row.role) for row in rows)
    return Standing(
        status=change.status,
        requester=change.requester,
        run=change.run,
        approvals=tuple(approvals),
        digest=change.digest,
        aborted=change.aborted,
    )


def standing_at_the_gate(session: Session, change: Change, targets: tuple[str, ...], now: datetime) -> Standing:
    """Return the same with everything that may keep a change from starting."""
    rows = session.execute(
        select(Lease.target, Change)
        .join(Change, Change.number == Lease.number)
        .where(Lease.target.in_(targets), Lease.number != change.number)
        .order_by(Lease.target)
    )
    return replace(
        standing_of(session, change),
        held=tuple(HeldTarget(target, holder.id, holder.status == "running") for target, holder in rows),
        stops=stops_in(session, now),
        acting=tuple(other for other in others_in(session, now, now, but=change.id) if other.holds),
    )
