"""Keeps the progress of each watch, and writes its readings as events."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from changewindow.errors import AlteredRow
from changewindow.ledger import payloads
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, append, known, number
from changewindow.ledger.models import Watch, identity
from changewindow.ledger.row_seals import NAMES, seal_of_values, why_not_whole
from changewindow.watch.progress import Progress

BATCH = 20
"""How many readings make an event; a watch that is decided writes the rest."""


@dataclass(frozen=True)
class Kept:
    """The progress of a watch at one moment."""

    change: str
    run: str
    progress: Progress
    at: datetime


def keep(ledger: Ledger, kept: Sequence[Kept]) -> dict[str, int]:
    """Write the progress of watches, in one transaction; unwritten readings become an event once there are enough.

    Returns:
        How many readings of each change are now in an event.

    Raises:
        LedgerDown: nothing was written.
    """
    with ledger.transaction() as session:
        numbers = [number(watch.change) for watch in kept]
        existing = set(session.scalars(select(Watch.number).where(Watch.number.in_(numbers))))
        counts, rows = {}, []
        for watch in kept:
            counts[watch.change], progress = _record(session, watch)
            row = {
                "number": number(watch.change),
                "run": watch.run,
                "at": watch.at.astimezone(UTC),
                "progress": progress,
            }
            rows.append({**row, "seal": seal_of_values(ledger.seal, Watch.__tablename__, row)})
        for statement, are_there in ((update(Watch), True), (insert(Watch), False)):
            if fitting := [row for row in rows if (row["number"] in existing) is are_there]:
                session.execute(statement, fitting)
        return counts


def newest(ledger: Ledger, change: str) -> Kept | None:
    """Return the progress of the newest watch of a change, ended or not; None before there is one.

    Raises:
        LedgerUnknown: there is no such change.
        AlteredRow: it is not known to be as it was written.
    """
    with ledger.reading() as session:
        known(session, change)
        row = session.get(Watch, number(change))
        if row is not None and (why := why_not_whole(session, row)):
            raise AlteredRow(change, f"{NAMES[Watch]} {why}")
        return Kept(change, row.run, Progress.model_validate_json(row.progress), row.at) if row else None


def newest_of(session: Session, numbers: Iterable[int]) -> dict[int, Kept | AlteredRow]:
    """Return the progress of the newest watch of each change that has one, or why it cannot be believed."""
    newest: dict[int, Kept | AlteredRow] = {}
    for row in session.scalars(select(Watch).where(Watch.number.in_(list(numbers)))):
        change = identity(row.number)
        if why := why_not_whole(session, row):
            newest[row.number] = AlteredRow(change, f"{NAMES[Watch]} {why}")
        else:
            newest[row.number] = Kept(change, row.run, Progress.model_validate_json(row.progress), row.at)
    return newest


def _record(session: Session, watch: Kept) -> tuple[int, str]:
    """Make an event of unwritten readings once there are enough; return how many, and the progress without them."""
    progress, count = watch.progress, 0
    if len(progress.unwritten) >= BATCH or (progress.decided and progress.unwritten):
        count = len(progress.unwritten)
        read = payloads.Read(run=watch.run, readings=tuple(progress.unwritten))
        append(session, Event(watch.change, f"{watch.run}/watch", watch.at, read))
        progress = progress.model_copy(update={"unwritten": []})
    return count, progress.model_dump_json()
