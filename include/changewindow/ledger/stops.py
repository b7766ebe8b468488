"""Stops of the line: while one is in force, no change starts and no step is applied, but rollbacks go on."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from changewindow.documents.findings import Finding
from changewindow.errors import NotAllowed
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Stop
from changewindow.policy.standing import LineStop


def stop(ledger: Ledger, *, person: str, reason: str, now: datetime, until: datetime) -> None:
    """Stop the line until a moment.

    Raises:
        NotAllowed: the moment has passed.
    """
    if until <= now:
        sentence = f"the stop would end {until:%Y-%m-%d %H:%M} UTC, before it begins"
        raise NotAllowed("the line", [Finding("stop_too_short", sentence, "Name a later end.")])
    with ledger.transaction() as session:
        session.add(Stop(person=person, reason=reason, at=now, expires_at=until))


def lift(ledger: Ledger, *, person: str, now: datetime) -> list[str]:
    """End every stop in force; return a sentence for each."""
    with ledger.transaction() as session:
        lifted = [stop.sentence for stop in stops_in(session, now)]
        for row in _in_force(session, now):
            row.lifted_by, row.lifted_at = person, now
        return lifted


def in_force(ledger: Ledger, now: datetime) -> tuple[LineStop, ...]:
    """Return the stops in force, oldest first."""
    with ledger.reading() as session:
        return stops_in(session, now)


def stops_in(session: Session, now: datetime) -> tuple[LineStop, ...]:
    """Return the same inside a transaction."""
    return tuple(LineStop(row.person, row.reason, row.expires_at) for row in _in_force(session, now))


def _in_force(session: Session, now: datetime) -> list[Stop]:
    in_time = (Stop.at <= now) & (Stop.expires_at > now) & Stop.lifted_at.is_(None)
    return list(session.scalars(select(Stop).where(in_time).order_by(Stop.id)))
