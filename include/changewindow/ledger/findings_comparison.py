"""Compares the rows of findings, and of what collectors have seen, with the events of their record."""

from collections.abc import Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from changewindow.ledger.findings import of_events
from changewindow.ledger.looks import begun_in, record_values
from changewindow.ledger.models import Change, EventRow, FindingRow, LookRow
from changewindow.ledger.row_seals import is_whole


def altered_findings(session: Session, record: Change, rows: Sequence[EventRow]) -> Iterator[str]:
    """Say what of the record of findings, and of the rows beside it, is not as its events say."""
    for name, value in record_values(rows[0].at if rows else record.submitted_at).items():
        if getattr(record, name) != value:
            yield f"its {name} is '{getattr(record, name)}', and was '{value}'"
    yield from _findings(session, rows)
    yield from _looks(session)


def _findings(session: Session, rows: Sequence[EventRow]) -> Iterator[str]:
    made = of_events(rows)
    stored = {row.id: row for row in session.scalars(select(FindingRow).order_by(FindingRow.id))}
    for number, row in stored.items():
        if number not in made:
            yield f"finding {number} has no event: somebody has inserted it"
        else:
            differing = [name for name, value in made[number].values.items() if getattr(row, name) != value]
            yield from (f"finding {number}: its {name} is not as its events say" for name in differing)
    for number in sorted(set(made) - set(stored)):
        yield f"finding {number} has an event and no row: somebody has deleted it"


def _looks(session: Session) -> Iterator[str]:
    stored = {row.collector: row for row in session.scalars(select(LookRow).order_by(LookRow.collector))}
    for collector, row in stored.items():
        if not is_whole(session, row):
            yield f"how far {collector} has seen does not match its seal: somebody has inserted or altered it"
    for collector in sorted(begun_in(session) - set(stored)):
        yield f"how far {collector} has seen is missing: somebody has deleted it"
