"""Reads which changes of the world are known of a time, and the drills: for the report on emergencies."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from changewindow.errors import BrokenChain
from changewindow.ledger import owing
from changewindow.ledger.chain import is_sealed, seal_of
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.events import payload
from changewindow.ledger.models import FIRST_NUMBER, EventRow, FindingRow, identity
from changewindow.ledger.payloads import Drilled
from changewindow.policy.aftercare import Aftercare
from changewindow.policy.emergencies import Emergencies
from changewindow.policy.habits import earliest, habits
from changewindow.policy.population import Drill, Population


def population(ledger: Ledger, since: datetime, now: datetime, rules: Emergencies) -> Population:
    """Return what changed since a moment, and the habits of now, as far as it is known."""
    known = owing.since(ledger, min(since, earliest(rules.repeated, now)))
    readable = tuple(owed for owed in known.values() if isinstance(owed, Aftercare))
    with ledger.reading() as session:
        return Population(
            since,
            now,
            started=_with_event(session, EventKind.STARTED, since),
            records=_with_event(session, EventKind.RECORDED, since),
            silent=_silent(session, since),
            owing=tuple(owed for owed in readable if owed.began >= since),
            unreadable=tuple(change for change, owed in known.items() if isinstance(owed, BrokenChain)),
            habits=tuple(habits(readable, rules.repeated, now=now, zone=ZoneInfo(rules.zone))),
        )


def last_drills(ledger: Ledger) -> tuple[Drill | None, Drill | None]:
    """Return the last good drill, and the last one whatever it was; only sealed events count."""
    wanted = select(EventRow).where(EventRow.kind == EventKind.DRILLED).order_by(EventRow.at.desc())
    with ledger.reading() as session:
        seal = seal_of(session)
        rows = [(row, payload(row)) for row in session.scalars(wanted) if is_sealed(seal, row)]
    drills = [
        Drill(identity(row.number), row.at, event.good, event.took, event.reason)
        for row, event in rows
        if isinstance(event, Drilled)
    ]
    return next((drill for drill in drills if drill.is_good), None), next(iter(drills), None)


def _with_event(session: Session, kind: EventKind, since: datetime) -> tuple[str, ...]:
    """Return the changes to which something has happened since a moment."""
    wanted = select(EventRow.number).where(EventRow.kind == kind, EventRow.at >= since).distinct()
    return tuple(identity(number) for number in sorted(session.scalars(wanted)) if number >= FIRST_NUMBER)


def _silent(session: Session, since: datetime) -> tuple[str, ...]:
    """Return the silent changes that were found since a moment, and that no record explains."""
    wanted = select(FindingRow.id).where(
        FindingRow.kind == "change", FindingRow.state != "recorded", FindingRow.made_at >= since
    )
    return tuple(f"finding {number}" for number in session.scalars(wanted.order_by(FindingRow.id)))
