"""Stops of the line: while one is in force no change starts and no step is applied; the way back is open."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from changewindow.errors import NotAllowed
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Stop


def stop(ledger: Ledger, *, person: str, reason: str, now: datetime, until: datetime) -> None:
    """Stop the line until a moment.

    Raises:
        NotAllowed: the moment has passed.
    """
    if until <= now:
        says = f"the stop would end {until:%Y-%m-%d %H:%M} UTC, before it begins"
        raise NotAllowed("the line", [f"{says}; name a later end"])
    with ledger.transaction() as session:
        session.add(Stop(person=person, reason=reason, at=now, expires_at=until))


def lift(ledger: Ledger, *, person: str, now: datetime) -> list[str]:
    """End every stop in force; return what they said."""
    with ledger.transaction() as session:
        said = sentences(session, now)
        for one in _in_force(session, now):
            one.lifted_by, one.lifted_at = person, now
        return said


def in_force(ledger: Ledger, now: datetime) -> list[str]:
    """Return a sentence for each stop in force."""
    with ledger.reading() as session:
        return sentences(session, now)


def sentences(session: Session, now: datetime) -> list[str]:
    """Return the same inside a transaction."""
    return [
        f"the line is stopped by {one.person} until {one.expires_at:%Y-%m-%d %H:%M} UTC: {one.reason}; "
        "wait, or lift it with stop_the_line"
        for one in _in_force(session, now)
    ]


def _in_force(session: Session, now: datetime) -> list[Stop]:
    in_time = (Stop.at <= now) & (Stop.expires_at > now) & Stop.lifted_at.is_(None)
    return list(session.scalars(select(Stop).where(in_time).order_by(Stop.id)))
