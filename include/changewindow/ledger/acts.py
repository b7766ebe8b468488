"""Reads what many changes did within a span of time."""

from collections.abc import Collection

from sqlalchemy import func, select

from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.models import EventRow
from changewindow.systems.collection import Span


def between(ledger: Ledger, numbers: Collection[int], kinds: Collection[EventKind], span: Span) -> list[EventRow]:
    """Return the events of these changes that are of one of these kinds and lie within a span, the newest first.

    They are a few hundred changes at most, for each is a variable of the statement.
    """
    of_kinds = func.lower(EventRow.kind).in_(kinds)  # no column: SQLite would look through all events of these kinds
    of_changes = EventRow.number.in_(numbers) & of_kinds
    within = EventRow.at.between(span.since, span.until)
    with ledger.reading() as session:
        return list(session.scalars(select(EventRow).where(of_changes, within).order_by(EventRow.at.desc())))
