"""Buttons that people press on the message of a change: what a click does and its record are one transaction."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from changewindow.errors import ApprovalRefused, BrokenChain
from changewindow.ledger.chain import checked_events
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.events import Event, append, known, locked, payload
from changewindow.ledger.models import Change, EventRow
from changewindow.ledger.payloads import ButtonPressed, Payload, Refused, RollbackWanted, Started, Unknown

Act = Callable[[Session, Change], str]
"""Does inside a transaction what a click asks for; returns a sentence that says what was done.

Raises `ChangeError`: it does not count.
"""


@dataclass(frozen=True)
class Wanted:
    """A completed change that somebody wants to be rolled back."""

    change: str
    person: str
    reason: str
    sequence: int
    """The number of the event that says so."""

    @property
    def run(self) -> str:
        """Return the id of the run that does it: one, however often it is asked for."""
        return f"take_back_wanted_{self.sequence}"


def press(
    ledger: Ledger, change: str, pressed: ButtonPressed, act: Act, *, person: str, now: datetime
) -> ButtonPressed:
    """Do what a click asks for, and record it; return how it is recorded. The same click does nothing twice.

    Raises:
        ChangeError: it does not count, and nothing was written.
    """
    with ledger.transaction() as session:
        row = locked(session, change)
        rows = checked_events(session, row)
        if earlier := _earlier(rows, pressed):
            return earlier
        done = pressed.model_copy(update={"counts": True, "sentence": act(session, row)})
        append(session, Event(change, person, now, done))
        return done


def refuse(ledger: Ledger, change: str, pressed: ButtonPressed, *, person: str, now: datetime) -> ButtonPressed:
    """Record a click that does not count, once for each person, button and reason; return how it is recorded.

    Raises:
        LedgerDown, LedgerUnknown: it is not recorded.
    """
    with ledger.transaction() as session:
        row = locked(session, change)
        rows = [payload(each) for each in session.scalars(_presses().where(EventRow.number == row.number))]
        if earlier := _same_click(rows, pressed):
            return earlier
        if not any(_same_refusal(each, pressed) for each in rows):
            append(session, Event(change, person, now, pressed))
        return pressed


def want_rollback_in(session: Session, row: Change, person: str, reason: str, *, now: datetime) -> None:
    """Record that a completed change is wanted to be rolled back, inside the caller's transaction.

    Raises:
        ApprovalRefused: somebody has asked for it already.
    """
    if open_one := _open(row, checked_events(session, row)):
        raise ApprovalRefused(f"{open_one.person} has asked for that already.")
    append(session, Event(row.id, person, now, RollbackWanted(digest=row.digest, reason=reason)))


def wanted_rollbacks(ledger: Ledger, now: datetime, within: timedelta) -> list[Wanted]:
    """Return the rollbacks that were asked for and that no run has begun, or was refused for, oldest change first.

    A change whose record was altered is left out: nobody knows what was asked for, and no other waits for that.

    Raises:
        LedgerDown: the ledger does not answer.
    """
    is_wanted = exists().where(EventRow.number == Change.number, EventRow.kind == EventKind.ROLLBACK_WANTED)
    is_recent = (Change.status == "completed") & (Change.closed_at > now - within)
    with ledger.reading() as session:
        rows = list(session.scalars(select(Change).where(is_recent, is_wanted).order_by(Change.number)))
        return [wanted for row in rows if (wanted := _believed(session, row))]


def _believed(session: Session, row: Change) -> Wanted | None:
    try:
        return _open(row, checked_events(session, row))
    except BrokenChain:  # not said here, every second: housekeeping verifies all records
        return None


def wanted_rollback(ledger: Ledger, change: str) -> Wanted | None:
    """Return who asked for a completed change to be rolled back, as long as no run has begun to, or was refused.

    Raises:
        LedgerDown, LedgerUnknown, BrokenChain: nobody can say.
    """
    with ledger.reading() as session:
        row = known(session, change)
        return _open(row, checked_events(session, row)) if row.status == "completed" else None


def _open(row: Change, rows: Iterable[EventRow]) -> Wanted | None:
    """Return what is wanted still; a refusal of another run, which anybody may trigger, takes nothing away."""
    newest = None
    for event in rows:
        content = payload(event)
        if isinstance(content, RollbackWanted):
            newest = Wanted(row.id, event.actor, content.reason, event.sequence)
        elif isinstance(content, Started) or (isinstance(content, Refused) and newest and content.run == newest.run):
            newest = None
    return newest


def _presses() -> Select[EventRow]:
    return select(EventRow).where(EventRow.kind == EventKind.BUTTON_PRESSED).order_by(EventRow.sequence)


def _earlier(rows: Iterable[EventRow], pressed: ButtonPressed) -> ButtonPressed | None:
    return _same_click((payload(row) for row in rows), pressed)


def _same_click(contents: Iterable[Payload | Unknown], pressed: ButtonPressed) -> ButtonPressed | None:
    """Return how this click was recorded when it arrived before."""
    for content in contents:
        if isinstance(content, ButtonPressed) and _identity(content) == _identity(pressed):
            return content
    return None


def _identity(pressed: ButtonPressed) -> tuple[str, ...]:
    return pressed.channel, pressed.user, pressed.action, pressed.click


def _same_refusal(content: Payload | Unknown, pressed: ButtonPressed) -> bool:
    fields = ("channel", "user", "action", "digest", "sentence")
    return (
        isinstance(content, ButtonPressed)
        and not content.counts
        and all(getattr(content, name) == getattr(pressed, name) for name in fields)
    )
