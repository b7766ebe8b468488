"""Looks up what acted before, for sources that compare a change with it; only reads.

It knows texts and no tickets, because tickets are made of sources.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from changewindow.ledger.database import Ledger
from changewindow.ledger.events import known
from changewindow.ledger.models import Change, Event, Revision, Touched

ACTED = ("running", "completed", "rolled_back", "rollback_failed")
RECENT = 200
"""So many changes are looked at."""


@dataclass(frozen=True)
class Acted:
    """A change that has touched its targets, or does so now."""

    change: str
    status: str
    reason: str
    began: datetime
    closed: datetime | None
    ticket: dict[str, Any]
    """The data of its ticket."""


def text_of(ledger: Ledger, change: str) -> dict[str, Any]:
    """Return the newest text of a change, as the data of its ticket."""
    with ledger.reading() as session:
        found = known(session, change)
        data: dict[str, Any] = json.loads(session.get_one(Revision, (found.number, found.digest)).text)
        return data


def acted_on(ledger: Ledger, targets: Sequence[str]) -> list[Acted]:
    """Return the changes that acted on one of the targets, newest first; one that acts now is the newest."""
    started = select(func.min(Event.at)).where(Event.number == Change.number, Event.kind == "started")
    found = (
        select(Change, Revision.text, started.scalar_subquery())
        .join(Revision, (Revision.number == Change.number) & (Revision.digest == Change.digest))
        .where(Change.status.in_(ACTED), Change.number.in_(select(Touched.number).where(Touched.target.in_(targets))))
        .order_by(Change.closed_at.is_not(None), Change.closed_at.desc())
        .limit(RECENT)
    )
    with ledger.reading() as session:
        return [
            Acted(one.id, one.status, one.reason, began or one.opens, one.closed_at, json.loads(text))
            for one, text, began in session.execute(found)
        ]
