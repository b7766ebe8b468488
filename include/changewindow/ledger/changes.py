"""Changes in the ledger: submit, revise, cancel, abort, close; each one transaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Unpack

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from changewindow.documents.canonical import canonical
from changewindow.documents.findings import Finding
from changewindow.documents.text import spoken
from changewindow.errors import NotAllowed
from changewindow.ledger import payloads, step_locks
from changewindow.ledger.closing import Closing, close_in
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, append, known, locked
from changewindow.ledger.models import Approval, Change, Revision, Touched
from changewindow.ledger.stops import begin_line
from changewindow.ledger.texts import ticket_data
from changewindow.policy import standing
from changewindow.policy.manual_change import RECORDED
from changewindow.policy.state_rules import instead
from changewindow.ticket.model import Ticket
from changewindow.ticket.reader import build_ticket
from changewindow.ticket.revision import digest_of

WAITING = standing.WAITING
CHANGEABLE = (*WAITING, "missed")
"""A new text may be given to it."""
Ended = Literal["cancelled", "rolled back"]
"""What an abort leads to."""


@dataclass(frozen=True)
class Submitted:
    """A change as it entered the ledger."""

    change: str
    digest: str
    is_new_text: bool = True
    """Whether its text differs from the one before, so that its approvals no longer count."""


def submit(
    ledger: Ledger,
    ticket_data: dict[str, Any],
    *,
    requester: str,
    now: datetime,
    origin: str | None = None,
    is_proven: bool = True,
) -> Submitted:
    """Put a ticket into the ledger as a new change; return its id and digest.

    Where nothing proves who its requester is, one person more has to approve it.
    """
    with ledger.transaction() as session:
        return submit_in(session, ticket_data, requester=requester, now=now, origin=origin, is_proven=is_proven)


def submit_in(
    session: Session, ticket_data: dict[str, Any], *, requester: str, now: datetime, origin: str | None, is_proven: bool
) -> Submitted:
    """Do the same inside the caller's transaction."""
    ticket = build_ticket(ticket_data)
    key = digest_of(ticket_data, ticket)
    begin_line(session, now)
    change = Change(requester=requester, reason="", submitted_at=now, origin=origin, **_fields(ticket, key))
    session.add(change)
    session.flush()
    _write_text(session, change, ticket_data, now)
    more: dict[str, Any] = {"origin": origin, **_claimed(is_proven)}
    submitted = payloads.Submitted(digest=key, summary=ticket.summary, targets=ticket.targets, **more)
    append(session, Event(change.id, requester, now, submitted))
    return Submitted(change.id, key)


def revise(
    ledger: Ledger,
    change: str,
    ticket_data: dict[str, Any],
    *,
    person: str,
    now: datetime,
    keeps: bool = False,
    is_proven: bool = True,
) -> Submitted:
    """Give a change that has not acted a new text; the same text changes nothing, a different one needs new approvals.

    Whoever revises it is its requester from now on. With `keeps`, approvals of the earlier text count for this one too:
    for a moved window, if the policy says so.

    Raises:
        NotAllowed: it acts or is closed.
    """
    ticket = build_ticket(ticket_data)
    key = digest_of(ticket_data, ticket)
    with ledger.transaction() as session:
        row = locked(session, change)
        require_status(row, CHANGEABLE, instead(row.status))
        if row.digest == key:
            return Submitted(change, key, is_new_text=False)
        before = row.digest
        for name, value in _fields(ticket, key).items():
            setattr(row, name, value)
        row.closed_at, row.run, row.reason = None, None, ""
        _write_text(session, row, ticket_data, now)
        if keeps:
            _carry_approvals(session, row, before)
        else:
            row.requester = person
        claimed = _claimed(is_proven)
        revised = payloads.Revised(digest=key, before=before, summary=ticket.summary, keeps_approvals=keeps, **claimed)
        append(session, Event(change, person, now, revised))
        return Submitted(change, key, is_new_text=not keeps)


def revision(ledger: Ledger, change: str) -> dict[str, Any]:
    """Return the newest text of a change, as the data of its ticket.

    Raises:
        NoTicket: it is a record.
        AlteredText: it is not the one that was submitted.
    """
    with ledger.reading() as session:
        row = known(session, change)
        return ticket_data(session, row, row.digest)


def text_of(ledger: Ledger, change: str, digest: str) -> dict[str, Any]:
    """Return that text of a change which has a digest, as the data of its ticket.

    Raises:
        NoTicket: it is a record.
        AlteredText: the ledger has no such text, or another one under this digest.
    """
    with ledger.reading() as session:
        return ticket_data(session, known(session, change), digest)


def get(ledger: Ledger, change: str) -> Change:
    """Return what the ledger knows of a change now."""
    with ledger.reading() as session:
        return known(session, change)


def cancel(ledger: Ledger, change: str, *, person: str, reason: str, now: datetime) -> None:
    """End a change that has not acted; it never runs.

    Raises:
        NotAllowed: it acts or is closed.
    """
    with ledger.transaction() as session:
        row = locked(session, change)
        require_status(
            row, WAITING, "To end what acts, run abort_change; to roll back what is completed, use mode rollback."
        )
        row.status, row.reason, row.closed_at = "cancelled", f"cancelled by {person}: {reason}", now
        append(session, Event(change, person, now, payloads.Cancelled(reason=reason)))


def abort(ledger: Ledger, change: str, *, person: str, reason: str, now: datetime) -> Ended:
    """End a change: one that waits is cancelled, one that acts stops within a second and is rolled back; return which.

    Raises:
        NotAllowed: it is closed, or was aborted before.
    """
    with ledger.transaction() as session:
        return abort_in(session, change, person=person, reason=reason, now=now)


def abort_in(session: Session, change: str, *, person: str, reason: str, now: datetime) -> Ended:
    """Do the same inside the caller's transaction."""
    row = locked(session, change)
    require_status(row, (*WAITING, "running"), "Nothing acts; to roll back what is completed, use mode rollback.")
    if row.aborted:
        raise NotAllowed(change, [Finding("aborted", f"it was {row.aborted}", standing.ROLLED_BACK)])
    append(session, Event(change, person, now, payloads.Aborted(reason=reason, was=row.status)))
    if row.status != "running":
        row.status, row.reason, row.closed_at = "cancelled", f"aborted by {person}: {reason}", now
        return "cancelled"
    row.aborted = f"aborted by {person}: {reason}"
    step_locks.revoke_in(session, row.number, only_forward=True)
    return "rolled back"


def close(ledger: Ledger, change: str, **closing: Unpack[Closing]) -> None:
    """Record how a change ended and release its targets, unless it is `rollback_failed`. May be called twice."""
    with ledger.transaction() as session:
        row = locked(session, change)
        if row.closed_at is None or (row.status, row.run) != (closing["outcome"], closing["run"]):
            close_in(session, row, closing)


def _fields(ticket: Ticket, key: str) -> dict[str, Any]:
    """Return what the ledger keeps of a ticket that waits for approval."""
    return {
        **{name: getattr(ticket, name) for name in ("summary", "owner", "reviewer", "type", "risk")},
        "digest": key,
        "opens": ticket.window.opens,
        "closes": ticket.window.closes,
        "status": "submitted",
    }


def _claimed(is_proven: bool) -> dict[str, Any]:  # noqa: FBT001  the one thing that it is about
    """Return what an event says of a requester whom nothing proves; of others it says nothing."""
    return {} if is_proven else {"is_proven": False}


def _write_text(session: Session, change: Change, data: dict[str, Any], now: datetime) -> None:
    """Keep the text under its digest, and the targets that it touches."""
    if session.get(Revision, (change.number, change.digest)) is None:
        session.add(Revision(number=change.number, digest=change.digest, text=canonical(data), at=now))
    session.execute(delete(Touched).where(Touched.number == change.number))
    session.add_all(Touched(number=change.number, target=target) for target in build_ticket(data).targets)


def _carry_approvals(session: Session, change: Change, before: str) -> None:
    """Let the approvals of the earlier text count for the newest."""
    for given in session.scalars(select(Approval).where(Approval.number == change.number, Approval.digest == before)):
        copied = {name: getattr(given, name) for name in ("number", "person", "role", "is_yes", "at", "expires_at")}
        session.add(Approval(digest=change.digest, **copied))


def require_status(row: Change, statuses: tuple[str, ...], remedy: str) -> None:
    """Make sure that a change is in one of some states.

    Raises:
        NotAllowed: it is in another one; the remedy says what to do then.
    """
    if row.status == RECORDED:
        sentence = "it is the record of what was done by hand, and nothing of it runs"
        raise NotAllowed(row.id, [Finding("wrong_state", sentence, "To undo what was done, submit a ticket.")])
    if row.status not in statuses:
        raise NotAllowed(row.id, [Finding("wrong_state", f"it is {spoken(row.status)}", remedy)])
