"""Puts declared emergencies into the ledger: a change that may act at once, and owes its approval afterwards."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from changewindow.ledger.changes import Submitted, submit_in
from changewindow.ledger.closing import close_in
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, append, locked
from changewindow.ledger.payloads import Declared
from changewindow.ledger.queries import of_origin_in
from changewindow.policy.standing import WAITING


def declare(
    ledger: Ledger,
    ticket_data: dict[str, Any],
    declared: Declared,
    *,
    person: str,
    now: datetime,
    origin: str,
    is_proven: bool = True,
) -> Submitted:
    """Put a ticket into the ledger as a declared emergency; return its id and digest; all or nothing.

    The same origin declares a thing once: a run that is tried again gets the change that it has declared before. What
    is declared is the digest of this ticket, whatever the declaration says of one.
    """
    with ledger.transaction() as session:
        if before := of_origin_in(session, origin):
            return Submitted(before.id, before.digest, is_new_text=False)
        return declare_in(session, ticket_data, declared, person=person, now=now, origin=origin, is_proven=is_proven)


def declare_in(
    session: Session,
    ticket_data: dict[str, Any],
    declared: Declared,
    *,
    person: str,
    now: datetime,
    origin: str,
    is_proven: bool,
) -> Submitted:
    """Do the same inside the caller's transaction, for an origin that has declared nothing yet."""
    submitted = submit_in(session, ticket_data, requester=person, now=now, origin=origin, is_proven=is_proven)
    bound = declared.model_copy(update={"digest": submitted.digest})
    append(session, Event(submitted.change, person, now, bound))
    return submitted


def refuse(ledger: Ledger, change: str, *, reason: str, now: datetime) -> bool:
    """Close as refused an emergency that has not acted; return whether it was.

    Whoever asks for its gate again while it acts, or once it is over, takes neither its outcome nor its leases away.
    """
    with ledger.transaction() as session:
        row = locked(session, change)
        if row.status not in WAITING:
            return False
        close_in(session, row, {"run": None, "outcome": "refused", "reason": reason, "now": now})
        return True
