"""The occurrences of one entry of the calendar, expanded on demand."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

import icalendar

from changewindow.calendar.intervals import Interval
from changewindow.calendar.model import Entry
from changewindow.calendar.series import is_cancelled, moment, series_of

E_co = TypeVar("E_co", bound=Entry, covariant=True)
Local = tuple[date, date, str]
"""Start and end as they are written, days or times with or without a zone, with a title."""
Expand = Callable[[datetime, datetime], Iterable[Local]]
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
PIECE = timedelta(days=14)
"""How much is expanded at once, and kept."""
MARGIN = timedelta(days=1)
"""No zone is further from UTC; times without a zone are asked for as if they were UTC."""


@dataclass(frozen=True, order=True)
class Occurrence:
    """One time at which a window is open or a freeze holds."""

    span: Interval
    title: str = ""
    """What the file or the list of holidays calls it."""


class Timeline(Generic[E_co]):
    """An entry with its occurrences; what has been expanded is kept, so that asking again costs nothing."""

    def __init__(self, entry: E_co, zone: str, file: icalendar.Component | None = None) -> None:
        self.entry = entry
        self.zone = entry.zone or zone
        self._expand = _expander(entry, ZoneInfo(self.zone), file)
        self._pieces: dict[int, tuple[Occurrence, ...]] = {}

    def __repr__(self) -> str:
        return f"<{type(self.entry).__name__} {self.entry.name!r} in {self.zone}>"

    def meeting(self, span: Interval) -> list[Occurrence]:
        """Return the occurrences that share a moment with an interval, sorted."""
        first, last = ((moment - EPOCH) // PIECE for moment in (span.start, span.end))
        occurrences = {occurrence for number in range(first, last + 1) for occurrence in self._piece(number)}
        return sorted(occurrence for occurrence in occurrences if occurrence.span.meets(span))

    def begins_on(self, day: date) -> bool:
        """Return whether something would begin on a local day, were that day not left out."""
        around = moment(day, ZoneInfo(self.zone))
        written = self._expand(around - MARGIN, around + 2 * MARGIN)
        return any(self.local(moment(start, ZoneInfo(self.zone))).date() == day for start, _, _ in written)

    def local(self, moment: datetime) -> datetime:
        """Return a moment as the clocks of the entry's zone show it."""
        return moment.astimezone(ZoneInfo(self.zone))

    def _piece(self, number: int) -> tuple[Occurrence, ...]:
        if number not in self._pieces:
            start = EPOCH + number * PIECE
            self._pieces[number] = tuple(self._occurrences(Interval(start, start + PIECE)))
        return self._pieces[number]

    def _occurrences(self, piece: Interval) -> Iterator[Occurrence]:
        zone = ZoneInfo(self.zone)
        for start, end, title in self._expand(piece.start - MARGIN, piece.end + MARGIN):
            span = Interval(moment(start, zone), moment(end, zone))
            if span.meets(piece) and self.local(span.start).date() not in self.entry.except_on:
                yield Occurrence(span, title)


def event_of(entry: Entry, zone: tzinfo) -> icalendar.Event:
    """Return the iCalendar event of an entry with a start."""
    event = icalendar.Event()
    event.add("uid", entry.name)
    for name, local in (("dtstart", entry.start), ("dtend", entry.end)):
        event.add(name, local.replace(tzinfo=zone) if local else None)
    if entry.repeat:
        event.add("rrule", icalendar.vRecur.from_ical(entry.repeat))
    return event


def _expander(entry: Entry, zone: tzinfo, file: icalendar.Component | None) -> Expand:
    if entry.holidays:
        return _holidays(entry.holidays)
    if file is None:
        file = icalendar.Calendar()
        file.add_component(event_of(entry, zone))
    return events(file, zone)


def events(file: icalendar.Component, zone: tzinfo) -> Expand:
    """Return what expands the events of an iCalendar file; cancelled ones do not happen."""
    every = series_of(file, zone)

    def expand(start: datetime, end: datetime) -> Iterator[Local]:
        for series in every:
            for begins, ends, event in series.between(start, end):
                if not is_cancelled(event):
                    yield begins, ends, str(event.get("SUMMARY", ""))

    return expand


def _holidays(country: str) -> Expand:
    # Imported when first needed: it knows some 250 countries and is slow to load.
    from holidays import country_holidays  # noqa: PLC0415

    nation, _, part = country.partition("-")
    known: Any = country_holidays(nation, subdiv=part or None, language="en_US")

    def expand(start: datetime, end: datetime) -> Iterator[Local]:
        for number in range((end - start).days + 1):
            day = (start + timedelta(days=number)).date()
            if day in known:
                yield day, day + timedelta(days=1), str(known[day])

    return expand
