"""Keeps how far each collector has seen, and what it wants to know again; sealed, since it changes with every look."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from changewindow.documents.canonical import canonical
from changewindow.errors import BrokenChain
from changewindow.ledger import payloads
from changewindow.ledger.chain import seal_of
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.events import Event, append, payload
from changewindow.ledger.models import FINDINGS, FINDINGS_NUMBER, Change, EventRow, FindingRow, LookRow
from changewindow.ledger.row_seals import seal_of_values, why_not_whole
from changewindow.ledger.seal import key_of
from changewindow.ledger.stops import begin_line, line_values

ACTOR = "silent_changes"
"""Who writes what a pass has found."""
DELETED = "is missing: somebody has deleted it"
MOST = 8 << 20
"""In bytes: a state that is larger is refused."""


@dataclass(frozen=True)
class Look:
    """How far a collector has seen."""

    collector: str
    until: datetime
    looked: datetime
    state: dict[str, Any]
    key: str = ""
    """The id of the key of the seals by which it has made fingerprints."""


Looks = Mapping[str, Look | str]
"""How far each collector has seen; a text is why nobody knows that, as what is said of it."""


def looks(ledger: Ledger) -> Looks:
    """Return how far each collector has seen that was ever asked."""
    with ledger.reading() as session:
        return looks_in(session)


def looks_in(session: Session) -> Looks:
    """Do the same inside the caller's transaction."""
    rows = {row.collector: row for row in session.scalars(select(LookRow))}
    known = {name: why_not_whole(session, row) or _look(row) for name, row in rows.items()}
    return {name: known.get(name, DELETED) for name in sorted(begun_in(session) | set(rows))}


def begun_in(session: Session) -> set[str]:
    """Return the collectors that were ever asked, as the events say."""
    begun = select(EventRow).where(EventRow.number == FINDINGS_NUMBER, EventRow.kind == EventKind.LOOKING_BEGUN)
    read = [payload(row) for row in session.scalars(begun)]
    return {event.collector for event in read if isinstance(event, payloads.LookingBegun)}


def keep(session: Session, look: Look, now: datetime) -> None:
    """Write how far a collector has seen, inside the caller's transaction.

    Raises:
        ValueError: its state is too large.
    """
    state = canonical({**look.state, "key": look.key} if look.key else look.state)
    if len(state.encode()) > MOST:
        raise ValueError(f"what {look.collector} wants to keep is larger than {MOST >> 20} MiB")
    if look.collector not in begun_in(session):
        _begin_record(session, now)
        append(session, Event(FINDINGS, ACTOR, now, payloads.LookingBegun(collector=look.collector)))
    moments = {"until": look.until.astimezone(UTC), "looked": look.looked.astimezone(UTC)}
    values: dict[str, Any] = {"collector": look.collector, **moments, "state": state}
    session.merge(LookRow(**values, seal=seal_of_values(seal_of(session), LookRow.__tablename__, values)))


def record_values(begun: datetime) -> dict[str, Any]:
    """Return what stands in the row of the record of findings, which never changes but for its head."""
    return {**line_values(begun), "summary": "Findings", "status": "findings"}


def _begin_record(session: Session, now: datetime) -> None:
    """Begin the record of findings; where it is missing beside its rows, somebody took it."""
    if session.get(Change, FINDINGS_NUMBER) is not None:
        return
    if any(session.scalar(select(column).limit(1)) is not None for column in (FindingRow.id, LookRow.collector)):
        raise BrokenChain(FINDINGS, 1, "is missing")
    begin_line(session, now)
    session.add(Change(number=FINDINGS_NUMBER, **record_values(now)))
    session.flush()


def _look(row: LookRow) -> Look:
    state = json.loads(row.state)
    return Look(row.collector, row.until, row.looked, state, str(state.get("key") or key_of(row.seal)))
