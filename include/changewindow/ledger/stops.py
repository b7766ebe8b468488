"""Stops of the line: while one is in force, no change starts and no step is applied, but rollbacks go on.

The events of the line say what stops it, so that nobody lets it run again by writing into a table; the rows beside
them are for people who look.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from changewindow.documents.findings import Finding
from changewindow.errors import BrokenChain, NotAllowed, UnreadableEvent
from changewindow.ledger import payloads
from changewindow.ledger.chain import checked_events
from changewindow.ledger.database import WRITES, Ledger
from changewindow.ledger.events import Event, append, payload
from changewindow.ledger.models import FIRST_NUMBER, LINE, LINE_NUMBER, Change, EventRow, Stop
from changewindow.ledger.payloads import Unknown
from changewindow.policy.standing import LineStop


@dataclass(frozen=True)
class Stopped:
    """A stop as the events of the line have it."""

    id: int
    person: str
    reason: str
    at: datetime
    expires_at: datetime
    lifted_by: str | None = None
    lifted_at: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Return whether it is in force."""
        return self.lifted_at is None and self.at <= now < self.expires_at


def stop(ledger: Ledger, *, person: str, reason: str, now: datetime, until: datetime) -> None:
    """Stop the line until a moment.

    Raises:
        NotAllowed: the moment has passed.
        BrokenChain: the record of the line is gone, so that nothing starts anyway.
    """
    if until <= now:
        sentence = f"the stop would end {until:%Y-%m-%d %H:%M} UTC, before it begins"
        raise NotAllowed("the line", [Finding("stop_too_short", sentence, "Name a later end.")])
    with ledger.transaction() as session:
        begin_line(session, now)
        if session.get(Change, LINE_NUMBER) is None:
            raise BrokenChain(LINE, 1, "is missing")
        row = Stop(person=person, reason=reason, at=now, expires_at=until)
        session.add(row)
        session.flush()
        append(session, Event(LINE, person, now, payloads.LineStopped(stop=row.id, reason=reason, until=until)))


def lift(ledger: Ledger, *, person: str, now: datetime) -> list[str]:
    """End every stop in force; return a sentence for each.

    Raises:
        BrokenChain: nobody can say what stops the line.
    """
    with ledger.transaction() as session:
        lifted = [stopped for stopped in recorded_stops(session, is_locked=True) if stopped.holds(now)]
        for row in session.scalars(select(Stop).where(Stop.id.in_([stopped.id for stopped in lifted]))):
            row.lifted_by, row.lifted_at = person, now
        if lifted:
            ended = payloads.LineLifted(stops=tuple(stopped.id for stopped in lifted))
            append(session, Event(LINE, person, now, ended))
        return [_shown(stopped).sentence for stopped in lifted]


def in_force(ledger: Ledger, now: datetime) -> tuple[LineStop, ...]:
    """Return the stops in force, oldest first; see `recorded_stops`."""
    with ledger.reading() as session:
        return stops_in(session, now)


def stops_in(session: Session, now: datetime) -> tuple[LineStop, ...]:
    """Return the same inside a transaction."""
    return tuple(_shown(stopped) for stopped in recorded_stops(session) if stopped.holds(now))


def recorded_stops(session: Session, *, is_locked: bool = False) -> tuple[Stopped, ...]:
    """Return every stop there has been, oldest first, after checking the events of the line.

    Raises:
        BrokenChain: they were altered or deleted, so that nobody can say what stops the line.
        UnreadableEvent: a later version wrote one of them.
    """
    line = session.get(Change, LINE_NUMBER, with_for_update=_lock(session, is_locked=is_locked))
    if line is not None:
        return stops_of(checked_events(session, line))
    if _has_changes(session):
        raise BrokenChain(LINE, 1, "is missing")
    return ()


def stops_of(rows: Iterable[EventRow]) -> tuple[Stopped, ...]:
    """Return the stops that the events of the line record."""
    stops: dict[int, Stopped] = {}
    for row in rows:
        event = payload(row)
        if isinstance(event, Unknown):
            raise UnreadableEvent(LINE, row.sequence, row.kind)
        if isinstance(event, payloads.LineStopped):
            stops[event.stop] = Stopped(event.stop, row.actor, event.reason, row.at, event.until)
        if isinstance(event, payloads.LineLifted):
            for number in event.stops:
                stops[number] = replace(stops[number], lifted_by=row.actor, lifted_at=row.at)
    return tuple(stops.values())


def begin_line(session: Session, now: datetime) -> None:
    """Begin the record of the line in a ledger without changes; where it is missing in another, somebody took it."""
    if session.get(Change, LINE_NUMBER) is not None or _has_changes(session):
        return
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE changes IN SHARE ROW EXCLUSIVE MODE"))  # only one of two may be the first
        if session.get(Change, LINE_NUMBER) is not None:
            return
    session.add(Change(number=LINE_NUMBER, **line_values(now)))
    session.flush()
    append(session, Event(LINE, "ledger", now, payloads.LineBegun()))


def line_values(begun: datetime) -> dict[str, Any]:
    """Return what stands in the row of the line, which never changes but for its head."""
    texts = dict.fromkeys(("requester", "reason", "digest", "owner", "reviewer", "type", "risk"), "")
    nothing = dict.fromkeys(("run", "closed_at", "origin", "token", "aborted"))
    times = dict.fromkeys(("opens", "closes", "submitted_at"), begun)
    return {"summary": "The line", "status": "line", **texts, **nothing, **times}


def _lock(session: Session, *, is_locked: bool) -> bool | dict[str, bool] | None:
    """Return how the line is locked: else an event that is written meanwhile would look like an altered end of it.

    Who only reads sees one moment anyway.
    """
    writes = session.connection().get_execution_options().get(WRITES, True)
    return True if is_locked else {"read": True} if writes else None


def _has_changes(session: Session) -> bool:
    return session.scalar(select(Change.number).where(Change.number >= FIRST_NUMBER).limit(1)) is not None


def _shown(stopped: Stopped) -> LineStop:
    return LineStop(stopped.person, stopped.reason, stopped.expires_at)
