"""Reads what the ledger knows of a change at one moment, for those who decide whether it may act or be approved."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from changewindow.ledger.chain import checked_events, is_sealed, seal_of
from changewindow.ledger.comparison import (
    altered_state,
    altered_window,
    approvals_of,
    newest_text,
    recorded_approvals,
)
from changewindow.ledger.derived import derived
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.models import Change, EventRow, Lease
from changewindow.ledger.queries import others_in
from changewindow.ledger.stops import stops_in
from changewindow.policy.standing import HeldTarget, Standing


def standing_of(session: Session, change: Change, events: Sequence[EventRow] | None = None) -> Standing:
    """Return state and approvals of a change as its events say, inside a transaction, and how its rows differ.

    Whoever has read and checked all `events` in this transaction gives them, so that it is not done twice.

    Raises:
        BrokenChain: the events were altered.
        SealKeyMissing: that cannot be checked.
    """
    known = derived(checked_events(session, change) if events is None else events)
    rows = approvals_of(session, change)
    altered = (*altered_state(change, known, rows), *altered_window(change, known, newest_text(session, change, known)))
    return replace(
        holding_of(change),
        requester=known.requester,
        digest=known.digest,
        approvals=recorded_approvals(known, rows),
        altered=altered,
        is_proven=known.is_proven,
        started=frozenset(known.started),
        declared=known.declared,
    )


def holding_of(change: Change) -> Standing:
    """Return who holds a change by its row alone: an undo goes on, whatever somebody has altered."""
    return Standing(
        status=change.status,
        requester=change.requester,
        run=change.run,
        approvals=(),
        digest=change.digest,
        aborted=change.aborted,
    )


def standing_at_the_gate(
    session: Session,
    change: Change,
    targets: tuple[str, ...],
    now: datetime,
    *,
    rolls_back: bool,
    events: Sequence[EventRow] | None = None,
) -> Standing:
    """Return what the ledger knows of a change, with everything that may keep it from starting or from rolling back."""
    of_change = replace(holding_of(change), started=_started(session, change)) if rolls_back else None
    return replace(
        of_change or standing_of(session, change, events),
        held=held_by_others(session, change, targets),
        stops=() if rolls_back else stops_in(session, now),
        acting=tuple(other for other in others_in(session, now, now, but=change.id) if other.holds),
    )


def held_by_others(session: Session, change: Change, targets: tuple[str, ...]) -> tuple[HeldTarget, ...]:
    """Return which of these targets other changes hold."""
    rows = session.execute(
        select(Lease.target, Change)
        .join(Change, Change.number == Lease.number)
        .where(Lease.target.in_(targets), Lease.number != change.number)
        .order_by(Lease.target)
    )
    return tuple(HeldTarget(target, holder.id, holder.status == "running") for target, holder in rows)


def _started(session: Session, change: Change) -> frozenset[str]:
    """Return the texts with which a change has passed the gate, also where the rest of its chain was altered."""
    wanted = select(EventRow).where(EventRow.number == change.number, EventRow.kind == EventKind.STARTED)
    rows = list(session.scalars(wanted))
    if any(row.seal is None for row in rows):  # a version that sealed nothing: only the whole chain can say it
        return frozenset(derived(checked_events(session, change)).started)
    return frozenset(derived(row for row in rows if is_sealed(seal_of(session), row)).started)
