"""Small calendars for tests to start from."""

from datetime import UTC, datetime, timedelta
from typing import Any

from changewindow.calendar.intervals import Interval
from changewindow.calendar.model import Calendar
from changewindow.calendar.occurrences import Timeline
from changewindow.calendar.schedule import Schedule
from changewindow.calendar.scope import Scope, Span
from support.tickets import TESTS

POLICY = TESTS.parent / "include" / "policy"
NIGHTLY: dict[str, Any] = {
    "name": "Nightly",
    "environments": ["production"],
    "services": ["orders"],
    "zone": "Europe/Berlin",
    "start": "2026-01-05 22:00",
    "end": "2026-01-06 02:00",
    "repeat": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH",
}
FRIDAY: dict[str, Any] = {
    "name": "Friday afternoon",
    "types": ["normal"],
    "zone": "Europe/Berlin",
    "start": "2026-01-02 12:00",
    "end": "2026-01-03 00:00",
    "repeat": "FREQ=WEEKLY;BYDAY=FR",
    "warn": "4h",
}


def once(start: str, end: str, **fields: Any) -> dict[str, Any]:
    """Return an entry that happens once."""
    return {"name": "Once", "start": start, "end": end, **fields}


def schedule(*freezes: dict[str, Any], windows: tuple[dict[str, Any], ...] = (), default: str = "open") -> Schedule:
    """Return the schedule of some freezes and windows."""
    data = {"zone": "UTC", "default": default, "windows": windows, "freezes": freezes}
    return Schedule.of(Calendar.model_validate(data))


def scope(*services: str, change_type: str = "normal", environment: str = "production", change: str = "") -> Scope:
    """Return the scope of a change, of the service orders if none is named."""
    return Scope(environment, services or ("orders",), change_type, change)


def at(text: str) -> datetime:
    """Return a moment by its time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def span(start: str, watch: int = 60, back: int = 10) -> Span:
    """Return the time of a change from its start in UTC; watch and rollback in minutes."""
    watched = at(start) + timedelta(minutes=watch)
    return Span(at(start), watched, watched + timedelta(minutes=back))


def times(timeline: Timeline[Any], start: str, end: str) -> list[str]:
    """Return the occurrences in an interval of UTC as text, in UTC."""
    spans = [occurrence.span for occurrence in timeline.meeting(Interval(at(start), at(end)))]
    return [f"{span.start:%Y-%m-%d %H:%M}-{span.end:%d %H:%M}" for span in spans]
