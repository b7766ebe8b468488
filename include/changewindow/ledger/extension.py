"""Moves the end of a change's window to a later moment, as somebody has allowed it; one transaction."""

from datetime import datetime

from sqlalchemy import select

from changewindow.documents.findings import Finding
from changewindow.errors import NotAllowed
from changewindow.ledger import payloads
from changewindow.ledger.changes import WAITING, require_status
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, append, locked
from changewindow.ledger.models import Change, Lease
from changewindow.ticket.window import NEVER


def extend(ledger: Ledger, change: str, asked: payloads.ExtensionAsked, *, person: str, now: datetime) -> None:
    """Move the end of a change's window as was asked for; `person` allows it.

    Raises:
        NotAllowed: it is closed, has another text or window by now, or the new end is not later.
    """
    with ledger.transaction() as session:
        row = locked(session, change)
        require_status(row, (*WAITING, "running"), "Run reslot_change to give a missed change a new window.")
        if asked.digest not in {"", row.digest}:
            sentence = "it has another text or window by now"
            raise NotAllowed(change, [Finding("other_text", sentence, "Ask for a longer window anew.")])
        later = later_end(row, asked.later, now)
        extended = payloads.Extended(earlier=row.closes, later=later, reason=asked.reason, run=asked.run)
        append(session, Event(change, person, now, extended))
        row.closes = later
        for lease in session.scalars(select(Lease).where(Lease.number == row.number)):
            lease.expires_at = max(lease.expires_at, later)


def later_end(change: Change, asked: datetime | None, now: datetime) -> datetime:
    """Return the end that is asked for.

    Raises:
        NotAllowed: it is no moment, is over, is not later than the end that there is, or is later than any ticket says.
    """
    if asked is None or asked <= max(change.closes, now):
        sentence = f"its window ends {change.closes:%Y-%m-%d %H:%M} UTC"
        raise NotAllowed(change.id, [Finding("not_later", sentence, "Name a later end than that, and than now.")])
    if asked >= NEVER:
        sentence = f"the window of no change ends as late as {asked:%Y-%m-%d %H:%M} UTC"
        raise NotAllowed(change.id, [Finding("too_late", sentence, f"Name an end before {NEVER:%Y-%m-%d}.")])
    return asked
