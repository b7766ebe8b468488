"""Names the moments of a change that are drawn beside its readings."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from changewindow.changes.event_lines import content
from changewindow.documents.text import spoken
from changewindow.ledger import payloads
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.models import EventRow


@dataclass(frozen=True)
class Mark:
    """A moment to draw beside readings."""

    at: datetime
    text: str


def marks(rows: Iterable[EventRow]) -> Iterator[Mark]:
    """Yield the moments of each step, of the verdict, and of the end, as far as they were not those of a dry run."""
    for row in rows:
        if row.kind in MARKS and not getattr(event := content(row), "is_dry", False):
            text = MARKS[row.kind](event) if not isinstance(event, payloads.Unknown) else ""
            if text:
                yield Mark(row.at, text)


MARKS: Mapping[str, Callable[[Any], str]] = {
    EventKind.REMEMBERED: lambda event: f"step {event.step} begins",
    EventKind.APPLIED: lambda event: f"step {event.step} applied",
    EventKind.APPLY_FAILED: lambda event: f"step {event.step} failed",
    EventKind.WATCHED: lambda event: f"verdict {event.verdict}",
    EventKind.UNDOING: lambda event: f"undo of step {event.step} begins",
    EventKind.UNDONE: lambda event: f"step {event.step} undone",
    EventKind.UNDO_FAILED: lambda event: f"undo of step {event.step} failed",
    EventKind.CLOSED: lambda event: spoken(str(event.outcome)),
}
