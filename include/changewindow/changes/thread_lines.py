"""Says which events of a change become a line in the thread of its message, and what each of them reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

from changewindow.changes.event_text import sentence, who
from changewindow.ledger import payloads
from changewindow.ledger.events import payload
from changewindow.ledger.models import EventRow
from changewindow.ledger.payloads import Payload, Unknown

UNTOLD: tuple[type[Payload], ...] = (
    payloads.Submitted,  # the message itself says it
    payloads.Clicked,  # what came of a click is an event of its own
    payloads.MessageSent,
    payloads.MessageFailed,
    payloads.MarkerSent,
    payloads.Reminded,  # a note of its own calls people
    payloads.Read,  # the message itself shows how a watch goes
    payloads.Checked,
    payloads.Baseline,
    payloads.WatchDecided,  # what was found is told already
    payloads.Validated,
    payloads.ReviewAsked,
)
LOUD_OUTCOMES = frozenset({"rolled_back", "rollback_failed", "missed", "refused"})
LONGEST = 600
"""Characters of a line."""


@dataclass(frozen=True)
class Line:
    """What is said of one event in the thread of its change."""

    sequence: int
    """The number of the event."""
    text: str
    is_loud: bool = False
    """Whether the room itself is to read of it."""


def lines(rows: Sequence[EventRow]) -> tuple[Line, ...]:
    """Return what the thread says of events, in their order; of most that only machines read, nothing."""
    told: list[Line] = []
    for row in rows:
        event = payload(row)
        if is_told(event):
            told.append(Line(row.sequence, _text(row, event), is_loud=is_loud(event)))
    return tuple(told)


def is_told(event: Payload | Unknown) -> bool:
    """Return whether an event is worth a line; checks that were not good are."""
    if isinstance(event, payloads.Checked):
        return event.verdict != "pass"
    if isinstance(event, payloads.WatchDecided):
        return event.route == "undo"
    return not isinstance(event, UNTOLD)


def is_loud(event: Payload | Unknown) -> bool:
    """Return whether the room itself is to read of it: a failure, a rollback, and whatever did not begin."""
    if isinstance(event, payloads.Closed):
        return event.outcome in LOUD_OUTCOMES
    if isinstance(event, payloads.WatchDecided):
        return event.route == "undo"
    if isinstance(event, payloads.Aborted):
        return event.was == "running"
    if isinstance(event, payloads.Started):
        return event.mode == "rollback"
    return isinstance(event, payloads.RunDied | payloads.UndoFailed)


def _text(row: EventRow, event: Payload | Unknown) -> str:
    text = f"{row.at.astimezone(UTC):%H:%M:%S} UTC: {who(row)} {sentence(event)}"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
