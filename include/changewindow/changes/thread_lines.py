"""Says which events of a change become a line in the thread of its message, and what each of them reads.

What the message itself shows is no line: that it was asked for, which step is under way, how its watch goes, what it
owes. Neither is what a note of its own tells: owner and on call read on their phones of each line.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, timedelta
from typing import Any

from changewindow.changes.desk import Line
from changewindow.changes.event_text import sentence, who
from changewindow.documents.text import spoken
from changewindow.documents.types import duration_text
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
    payloads.Remembered,  # its step has a line once it is applied, and what an undo needs is not for everybody
    payloads.Undoing,
    payloads.Watched,  # what is decided by it names the same reasons
    payloads.Declared,  # notes of their own tell of these three
    payloads.RetroDecided,
    payloads.Reviewed,
)
LOUD_OUTCOMES = frozenset({"rolled_back", "rollback_failed", "missed", "refused"})
ANSWERS = (payloads.Answered, payloads.Watched, payloads.WatchDecided, payloads.Aborted, payloads.Closed)
"""After these, nobody has to answer any more whether it is kept."""
LONGEST = 600
"""Characters of a line."""
HERE: Mapping[type[Payload], Callable[[Any], str]] = {
    payloads.Started: lambda event: f"the gate {sentence(event)}",
    payloads.Applied: lambda event: f"step {event.step} '{event.name}' is applied",
    payloads.Undone: lambda event: (
        f"step {event.step} '{event.name}' is undone{f'; back to {event.restored}' if event.restored else ''}"
    ),
    payloads.UndoFailed: lambda event: f"step {event.step} '{event.name}' COULD NOT BE UNDONE: {event.reason}",
    payloads.Verified: lambda event: f"everything is as it was before: {event.reason}",
    payloads.NotVerified: lambda event: f"undone, BUT NOT AS IT WAS BEFORE: {event.reason}",
    payloads.Watching: lambda event: f"it is watched for {duration_text(timedelta(seconds=event.seconds))}",
    payloads.Asked: lambda event: (
        f"keep it? {', '.join(event.people)} decide until {event.until:%H:%M} UTC: {event.reason}"
    ),
    payloads.WatchDecided: lambda event: f"it is rolled back: {event.reason}",
    payloads.Closed: lambda event: f"it ended as {spoken(event.outcome)}: {event.reason}",
}
"""What reads otherwise in a room than in the record: of the change itself, not of the task that did it."""


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
    events = [(row, payload(row)) for row in rows]
    asked = _open_question(events)
    return tuple(
        Line(row.sequence, _text(row, event), is_loud=row.sequence == asked or is_loud(event))
        for row, event in events
        if is_told(event)
    )


def _open_question(events: Sequence[tuple[EventRow, Payload | Unknown]]) -> int:
    """Return the number of the question that people are to answer yet, or 0: an update alone calls nobody."""
    asked = 0
    for row, event in events:
        if isinstance(event, payloads.Asked) and not event.is_dry:
            asked = row.sequence
        elif isinstance(event, ANSWERS):
            asked = 0
    return asked


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
    text = f"{row.at.astimezone(UTC):%H:%M:%S} UTC: {_sentence(row, event)}"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _sentence(row: EventRow, event: Payload | Unknown) -> str:
    here = None if isinstance(event, Unknown) else HERE.get(type(event))
    return " ".join(here(event).split()) if here else f"{who(row)} {sentence(event)}"
