"""Tells the events of a change as lines: one each, and one for readings with nothing between them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, get_args

from changewindow.changes.event_text import LONGEST, read_together, sentence, who
from changewindow.ledger import payloads
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.events import data, payload
from changewindow.ledger.models import EventRow
from changewindow.ledger.payloads import Payload, Unknown
from changewindow.watch.verdict import Verdict

Readings = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Line:
    """What happened, in one line."""

    first: EventRow
    last: EventRow
    """The same event, but for readings that are told together."""
    who: str
    text: str

    @property
    def is_of_several(self) -> bool:
        """Return whether it tells of several events."""
        return self.first.sequence != self.last.sequence


def readings_of(row: EventRow) -> Readings:
    """Return the readings of an event, as they are stored; none of one that somebody has altered beyond reading."""
    try:
        stored = data(row).get("readings")
    except (ValueError, AttributeError):
        return []
    return [each for each in stored if isinstance(each, dict)] if isinstance(stored, list) else []


def content(row: EventRow) -> Payload | Unknown:
    """Return what an event says; what somebody has altered so that it is no JSON is shown as it is."""
    try:
        return payload(row)
    except (ValueError, TypeError, AttributeError):
        return Unknown(row.kind, {"data": row.data[:LONGEST]})


def lines(rows: Sequence[EventRow], most: int | None = None) -> Iterator[Line]:
    """Yield the lines of events, oldest first: all, or the last so many."""
    groups = [list(together) for _, together in groupby(rows, key=_by_reader)]
    first = 0 if most is None else max(len(groups) - most, 0)
    before = getattr(content(groups[first - 1][0]), "reason", "") if first else ""
    for together in groups[first:]:
        row = together[0]
        event = content(row)
        text = read_together(verdicts_of(together)) if len(together) > 1 else _after(before, event)
        yield Line(row, together[-1], who(row), text)
        before = getattr(event, "reason", "")


def _by_reader(event: EventRow) -> tuple[str, int]:
    """Return what events have in common that are told in one line."""
    return (event.actor, 0) if event.kind == EventKind.READ else ("", event.sequence)


def verdicts_of(rows: Iterable[EventRow]) -> Counter[str]:
    """Return how many readings of each verdict events have, without reading all of them, of which there may be many.

    In canonical JSON a quote within a text has a backslash before it, so that these words stand nowhere else.
    """
    text = "".join(row.data for row in rows)
    counts = {verdict: text.count(f'"verdict":"{verdict}"') for verdict in get_args(Verdict)}
    return Counter({verdict: count for verdict, count in counts.items() if count})


def _after(reason: str, event: Payload | Unknown) -> str:
    """Return the sentence of an event that comes after one with this reason; how a change ended is always whole."""
    text = sentence(event)
    is_same = reason and getattr(event, "reason", "") == reason and not isinstance(event, payloads.Closed)
    return f"{text.removesuffix(': ' + ' '.join(reason.split()))}, for the same reason" if is_same else text
