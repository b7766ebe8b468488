"""Says which events of a change become a line in the thread of its message, and what each of them reads.

What the message itself shows is no line: that it was asked for, how its watch goes, what it owes.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from typing import Any

from changewindow.changes.desk import Line
from changewindow.changes.event_text import sentence, who
from changewindow.errors import BrokenChain
from changewindow.ledger import payloads
from changewindow.ledger.chain import checked_events
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import known, payload
from changewindow.ledger.models import EventRow
from changewindow.ledger.payloads import Payload, Unknown

UNTOLD: tuple[type[Payload], ...] = (
    payloads.Submitted,
    payloads.Recorded,
    payloads.Approved,  # whoever gave the last approval is told by name
    payloads.Clicked,  # what came of a click is an event of its own
    payloads.MessageSent,
    payloads.MessageFailed,
    payloads.MarkerSent,
    payloads.Reminded,  # a note of its own calls people
    payloads.Read,
    payloads.Refused,  # its end names the same reasons
    payloads.Baseline,
    payloads.Validated,
    payloads.ReviewAsked,
)
LOUD_OUTCOMES = frozenset({"rolled_back", "rollback_failed", "missed", "refused"})
LONGEST = 600
"""Characters of a line."""
HERE: Mapping[type[Payload], Callable[[Any], str]] = {
    payloads.Remembered: lambda event: f"began step {event.step} '{event.name}'",
}
"""What reads otherwise in a room than in the record: what an undo needs is not for everybody."""


def lines_after(ledger: Ledger, change: str, sequence: int) -> tuple[Line, ...]:
    """Return what the thread of a change says of its events after a number; nothing of a record that was altered.

    Raises:
        LedgerDown: the ledger does not answer.
    """
    with ledger.reading() as session:
        try:
            rows = checked_events(session, known(session, change))
        except BrokenChain:
            return ()
    return lines([row for row in rows if row.sequence > sequence])


def lines(rows: Sequence[EventRow]) -> tuple[Line, ...]:
    """Return what the thread says of events, in their order; of most that only machines read, nothing."""
    told: list[Line] = []
    for row in rows:
        event = payload(row)
        if is_told(event):
            told.append(Line(row.sequence, _text(row, event), is_loud=is_loud(event)))
    return tuple(told)


def is_told(event: Payload | Unknown) -> bool:
    """Return whether an event is worth a line; whoever tries a change dry reads of it in Airflow."""
    if not isinstance(event, Unknown) and event.is_dry:
        return False
    if isinstance(event, payloads.Checked):
        return event.verdict != "pass"
    if isinstance(event, payloads.WatchDecided):
        return event.route == "undo"
    if isinstance(event, payloads.ButtonPressed):
        return not event.counts  # what counted has an event of its own
    if isinstance(event, payloads.ApprovalDecided):
        return event.yes  # a no ends the change, which is told with its reason
    return not isinstance(event, UNTOLD)


def is_loud(event: Payload | Unknown) -> bool:
    """Return whether the room itself is to read of it: a failure, a rollback, whatever did not begin; each once.

    Whatever a rollback comes from, an abort, a run that died, a verdict or a click, it begins with this decision.
    """
    if isinstance(event, payloads.Closed):
        return event.outcome in LOUD_OUTCOMES
    if isinstance(event, payloads.WatchDecided):
        return event.route == "undo"
    return isinstance(event, payloads.UndoFailed)


def _text(row: EventRow, event: Payload | Unknown) -> str:
    text = f"{row.at.astimezone(UTC):%H:%M:%S} UTC: {_said(row, event)}"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _said(row: EventRow, event: Payload | Unknown) -> str:
    if isinstance(event, payloads.Closed):
        return " ".join(f"it ended as {event.outcome.replace('_', ' ')}: {event.reason}".split())
    in_words = None if isinstance(event, Unknown) else HERE.get(type(event))
    return f"{who(row)} {in_words(event) if in_words else sentence(event)}"
