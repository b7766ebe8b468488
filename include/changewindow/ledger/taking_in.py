"""Takes into the ledger what the journal of a terminal's emergency says: each line once, in order, at its true time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from changewindow.ledger import payloads
from changewindow.ledger.chain import is_sealed, seal_of
from changewindow.ledger.closing import Closing, close_in
from changewindow.ledger.database import Ledger
from changewindow.ledger.emergencies import declare_in
from changewindow.ledger.events import Entry, Event, append, append_entry, data, locked
from changewindow.ledger.journal import Line
from changewindow.ledger.leases import RENEWED, next_token, one_gate_at_a_time
from changewindow.ledger.models import Change, EventRow, Lease
from changewindow.ledger.payloads import Declared, Payload, Started
from changewindow.ledger.queries import of_origin_in
from changewindow.ticket.reader import build_ticket
from changewindow.ticket.revision import digest_of

DECLARED, EVENT, CLOSED, KNOWN = "declared", "event", "closed", "known"
"""What the lines of such a journal are: first who declared what, then events, and once that the ledger knows of it; at
last the outcome."""


@dataclass(frozen=True)
class Taken:
    """What has become of a journal in the ledger."""

    change: str
    is_ours: bool = True
    """Whether its run still holds the change; if not, somebody else has ended it."""
    aborted: str | None = None
    """Who wants its run to end, and why."""
    status: str = "running"
    left: tuple[int, ...] = ()
    """Steps that it has begun without the knowledge of whoever has ended it in its place, and not undone."""


@dataclass(frozen=True)
class Declaration:
    """Who declares what, and what is owed: the first line of a journal."""

    ticket: dict[str, Any]
    declared: Declared
    person: str
    origin: str
    run: str
    review_within: timedelta

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON; the declaration is bound to the text that runs."""
        digest = digest_of(self.ticket, build_ticket(self.ticket))
        return {
            "ticket": self.ticket,
            "declared": self.declared.model_copy(update={"digest": digest}).as_data(),
            "person": self.person,
            "origin": self.origin,
            "run": self.run,
            "review_within": self.review_within.total_seconds(),
        }


def event_line(payload: Payload) -> dict[str, Any]:
    """Return the line of an event."""
    return {"kind": payload.kind.value, "payload": payload.as_data()}


def take_in(ledger: Ledger, lines: Sequence[Line], *, now: datetime, is_alive: bool = True) -> Taken:
    """Write what the ledger does not have yet of a journal that begins with a declaration; all of it, or nothing.

    The leases of a run that is alive are renewed: while they last, nobody rolls back what it does.

    Raises:
        LedgerDown: nothing was written.
    """
    first, run = lines[0].data, str(lines[0].data["run"])
    with ledger.transaction() as session:
        row = of_origin_in(session, str(first["origin"])) or _declare(session, lines[0])
        row = locked(session, row.id)
        if not _events_of(session, row, run, Started):
            _start(session, row, run, lines)
        known = handed = len(_events_of(session, row, run))
        for line in lines[1:]:
            if line.what == CLOSED and row.status == "running" and row.run == run:
                close_in(session, row, _closing(run, lines, line))
            elif line.what == EVENT and known:
                known -= 1
            elif line.what == EVENT:
                append_entry(session, Entry(row.id, line.data["kind"], run, line.at, line.data["payload"]))
        for lease in session.scalars(select(Lease).where(Lease.number == row.number, Lease.run == run)):
            lease.expires_at = now + RENEWED if is_alive else now
        is_ours = row.run == run
        left = () if is_ours else _left(lines, handed)
        return Taken(row.id, is_ours=is_ours, aborted=row.aborted, status=row.status, left=left)


def _declare(session: Session, line: Line) -> Change:
    person, origin, ticket = (line.data[name] for name in ("person", "origin", "ticket"))
    declared = Declared.model_validate(line.data["declared"])
    submitted = declare_in(session, ticket, declared, person=person, now=line.at, origin=origin, is_proven=False)
    return locked(session, submitted.change)


def _start(session: Session, row: Change, run: str, lines: Sequence[Line]) -> None:
    """Let the run have started without leases: the ledger was down, and nobody could be kept away.

    While it acts, or has to be rolled back by hand, it holds from now on what nobody else does.
    """
    one_gate_at_a_time(session)
    at, outcomes = lines[0].at, [line.data["outcome"] for line in lines if line.what == CLOSED]
    wants = not outcomes or "rollback_failed" in outcomes
    targets = tuple(_free(session, build_ticket(lines[0].data["ticket"]).targets)) if wants else ()
    row.token = token = next_token(session)
    row.status, row.run, row.closed_at = "running", run, None
    session.add_all(
        Lease(target=target, number=row.number, token=token, run=run, taken_at=at, expires_at=row.closes)
        for target in targets
    )
    started = payloads.Started(run=run, digest=row.digest, mode="run", token=token, targets=targets)
    append(session, Event(row.id, run, at, started))


def _closing(run: str, lines: Sequence[Line], line: Line) -> Closing:
    """Return how it ended, and by when its review is due."""
    due = line.at + timedelta(seconds=lines[0].data["review_within"])
    outcome, reason = line.data["outcome"], str(line.data["reason"])
    return {"run": run, "outcome": outcome, "reason": reason, "now": line.at, "review_due": due}


def _left(lines: Sequence[Line], handed: int) -> tuple[int, ...]:
    """Return the steps that have begun after the first events, which are known, and that were not undone."""
    events = [line.data for line in lines if line.what == EVENT]

    def steps(of: type[Payload], among: Sequence[dict[str, Any]]) -> set[int]:
        return {int(each["payload"]["step"]) for each in among if each["kind"] == of.kind.value}

    return tuple(sorted(steps(payloads.Remembered, events[handed:]) - steps(payloads.Undone, events)))


def _free(session: Session, targets: Iterable[str]) -> Iterable[str]:
    return (target for target in targets if session.get(Lease, target) is None)


def _events_of(session: Session, row: Change, run: str, *of: type[Payload]) -> list[EventRow]:
    """Return the sealed events of a run, of some kinds; without them those that its journal has written."""
    kinds = [payload.kind for payload in of]
    wanted = select(EventRow).where(EventRow.number == row.number).order_by(EventRow.sequence)
    rows = [each for each in session.scalars(wanted) if is_sealed(seal_of(session), each)]
    ours = [each for each in rows if each.actor == run and data(each).get("run") == run]  # others say it died
    return [each for each in ours if (each.kind in kinds if kinds else each.kind != Started.kind)]
