"""Writes down that a change has ended, and asks for the review that this calls for: once, in one transaction."""

from datetime import datetime
from typing import Literal, NotRequired, TypedDict

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from changewindow.ledger import payloads
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.events import Event, append, payload
from changewindow.ledger.models import Change, EventRow, Lease
from changewindow.policy.aftercare import Because
from changewindow.policy.outcome import Outcome

ROLLED_BACK: dict[str, Literal["rolled_back", "rollback_failed"]] = {
    "rolled_back": "rolled_back",
    "rollback_failed": "rollback_failed",
}


class Closing(TypedDict):
    """How a change ended."""

    run: str | None
    outcome: Outcome
    reason: str
    now: datetime
    review_due: NotRequired[datetime | None]
    """By when its review is due, if it calls for one; None: nobody is asked for any."""


def close_in(session: Session, row: Change, closing: Closing) -> None:
    """Close a change inside the caller's transaction, ask for its review, and release its targets.

    Those of a rollback that failed stay held.
    """
    run, now = closing["run"], closing["now"]
    row.status, row.reason, row.run, row.closed_at, row.aborted = closing["outcome"], closing["reason"], run, now, None
    if closing["outcome"] != "rollback_failed":
        session.execute(delete(Lease).where(Lease.number == row.number))
    actor = run or "housekeeping"
    append(session, Event(row.id, actor, now, payloads.Closed(outcome=closing["outcome"], reason=closing["reason"])))
    due, because = closing.get("review_due"), _because(session, row, closing["outcome"])
    if due and because:
        append(session, Event(row.id, actor, now, payloads.ReviewAsked(because=because, due=due)))


def _because(session: Session, row: Change, outcome: Outcome) -> Because | None:
    """Return why a change has to be reviewed; nothing where it need not be, or where that is asked for already."""
    wanted = (EventKind.DECLARED, EventKind.STARTED, EventKind.REVIEW_ASKED)
    rows = list(session.scalars(select(EventRow).where(EventRow.number == row.number, EventRow.kind.in_(wanted))))
    known = [payload(each) for each in rows]
    if any(isinstance(event, payloads.ReviewAsked) or getattr(event, "is_drill", False) for event in known):
        return None
    has_started = any(isinstance(event, payloads.Started) for event in known)
    if has_started and any(isinstance(event, payloads.Declared) for event in known):
        return "emergency"
    return ROLLED_BACK.get(outcome)
