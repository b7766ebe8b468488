"""Compares the rows of findings, and of what collectors have seen, with the events of their record."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from changewindow.errors import UnreadableEvent
from changewindow.ledger import payloads
from changewindow.ledger.events import payload
from changewindow.ledger.findings import Recorded
from changewindow.ledger.looks import looks_in, record_values
from changewindow.ledger.models import FINDINGS, Change, EventRow, FindingRow
from changewindow.ledger.payloads import Unknown
from changewindow.policy.world_finding import WorldFinding


def altered_findings(session: Session, record: Change, rows: Sequence[EventRow]) -> Iterator[str]:
    """Say what of the record of findings, and of the rows beside it, is not as its events say."""
    for name, value in record_values(rows[0].at if rows else record.submitted_at).items():
        if getattr(record, name) != value:
            yield f"its {name} is '{getattr(record, name)}', and was '{value}'"
    yield from _findings(session, rows)
    yield from (f"how far {name} has seen {why}" for name, why in looks_in(session).items() if isinstance(why, str))


def _of_events(rows: Iterable[EventRow]) -> dict[int, Recorded]:
    """Return the findings that the events of their record make."""
    made: dict[int, Recorded] = {}
    for row in rows:
        event = payload(row)
        if isinstance(event, Unknown):
            raise UnreadableEvent(FINDINGS, row.sequence, row.kind)
        if isinstance(event, payloads.FindingMade):
            made[event.finding] = Recorded(event.finding, _of_event(event), row.at)
        elif isinstance(event, payloads.FindingChanged) and event.finding in made:
            before = replace(made[event.finding], person=row.actor, changed_at=row.at, told_at=None)
            made[event.finding] = replace(before, state=event.state, reason=event.reason, expires_at=event.until)
        elif isinstance(event, payloads.FindingTold):
            made.update({number: replace(made[number], told_at=row.at) for number in event.told if number in made})
    return made


def _of_event(event: payloads.FindingMade) -> WorldFinding:
    return WorldFinding(
        event.about,
        event.collector,
        event.object,
        event.happened,
        event.what,
        event.why,
        before=event.was,
        after=event.became,
        by=event.by,
        known_by=event.known_by,
        environment=event.environment,
        services=event.services,
        until=event.end,
    )


def _findings(session: Session, rows: Sequence[EventRow]) -> Iterator[str]:
    made = _of_events(rows)
    stored = {row.id: row for row in session.scalars(select(FindingRow).order_by(FindingRow.id))}
    for number, row in stored.items():
        if number not in made:
            yield f"finding {number} has no event: somebody has inserted it"
        else:
            differing = [name for name, value in made[number].values.items() if getattr(row, name) != value]
            yield from (f"finding {number}: its {name} is not as its events say" for name in differing)
    for number in sorted(set(made) - set(stored)):
        yield f"finding {number} has an event and no row: somebody has deleted it"
