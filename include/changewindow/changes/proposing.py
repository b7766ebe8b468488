"""Proposes windows to whoever writes a ticket: the next openings for what it says so far."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from changewindow.calendar.intervals import Interval
from changewindow.calendar.openings import HORIZON, Opening, despite, openings, why_closed
from changewindow.calendar.schedule import Schedule
from changewindow.calendar.scope import Scope
from changewindow.calendar.text import clock, length_text, listed
from changewindow.ticket.model import Ticket
from changewindow.ticket.window import in_utc, local_time_text

SHOWN = 4
"""How many openings help to choose one."""
TYPES = ("normal", "standard", "emergency")
MOST_SERVICES = 50
GRID = timedelta(minutes=5)
"""Proposed windows begin and end at minutes that people would write."""
USUAL = timedelta(hours=1)
"""How long a proposed window is while the ticket does not say how much it needs."""


@dataclass(frozen=True)
class Proposed:
    """The next openings, as data that JSON knows."""

    scope: str = ""
    """Which changes they are for; empty where the ticket does not say that yet."""
    openings: list[dict[str, Any]] = field(default_factory=list)
    """Each with its `time` and `length` as text, `before` (why it is closed until then), `despite` (which freezes do
    not hold), and a `window` as it may stand in the ticket, or None where the opening is nearly over."""
    closed: list[str] = field(default_factory=list)
    """Why there is none, where there is none."""


def proposed(schedule: Schedule, data: Any, ticket: Ticket | None, now: datetime) -> Proposed:
    """Return the next openings for the data of a ticket; `ticket` is None while it has errors."""
    scope = _scope(data)
    if scope is None:
        return Proposed()
    needs = ticket.needs + ticket.preflight.settle if ticket else timedelta(0)
    length = max(needs, ticket.window.length if ticket else USUAL)
    coming = list(islice(openings(schedule, scope, now, needs), SHOWN))
    whole = Interval(now, now + HORIZON)
    rows = [_row(schedule, scope, opening, whole) | {"window": _window(opening, needs, length)} for opening in coming]
    closed = [] if coming else why_closed(schedule, scope, whole, needs)
    return Proposed(_about(scope, needs), rows, list(closed))


def _scope(data: Any) -> Scope | None:
    """Return what decides about openings, as far as a ticket says it already."""
    named = data.get("services") if isinstance(data, dict) else None
    services = tuple(_names(named if isinstance(named, list) else []))
    if not services or not isinstance(data.get("environment"), str):
        return None
    return Scope(data["environment"], services, data["type"] if data.get("type") in TYPES else "normal")


def _names(services: list[Any]) -> Iterator[str]:
    yield from (name for name in services[:MOST_SERVICES] if isinstance(name, str) and not name.startswith("<"))


def _about(scope: Scope, needs: timedelta) -> str:
    needing = f" that need {length_text(needs)}" if needs else ""
    return f"{listed(scope.services)} in {scope.environment}, {scope.type} changes{needing}"


def _row(schedule: Schedule, scope: Scope, opening: Opening, whole: Interval) -> dict[str, Any]:
    free = Interval(opening.start, opening.end or whole.end)
    local = _time(opening, opening.zone)
    return {
        "time": local if opening.zone == "UTC" else f"{local} ({_time(opening, 'UTC')})",
        "length": length_text(opening.end - opening.start) if opening.end else "",
        "before": list(opening.gaps),
        "despite": list(despite(schedule, scope, free)),
    }


def _time(opening: Opening, zone: str) -> str:
    start = opening.start.astimezone(ZoneInfo(zone))
    if opening.end is None:
        return f"{start:%a %Y-%m-%d %H:%M} {zone} on"
    return f"{start:%a %Y-%m-%d %H:%M} to {clock(opening.end.astimezone(ZoneInfo(zone)), start)} {zone}"


def _window(opening: Opening, needs: timedelta, length: timedelta) -> dict[str, str] | None:
    """Return a window at the beginning of an opening as a ticket would write it; None where too little is left."""
    start = _upwards(opening.start)
    end = _upwards(start + length)
    if opening.end:
        end = min(end, opening.end)
    if end - start < max(needs, GRID):
        return None
    return written_window(start, end, opening.zone)


def written_window(start: datetime, end: datetime, zone: str) -> dict[str, str]:
    """Return a window as it stands in a ticket: in local time, or in UTC where clocks would leave a doubt."""
    local = {
        name: moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        for name, moment in (("start", start), ("end", end))
    }
    try:
        for moment in local.values():
            in_utc(moment, zone)
    except ValueError:
        return written_window(start, end, "UTC")
    return {**{name: local_time_text(moment) for name, moment in local.items()}, "zone": zone}


def _upwards(moment: datetime) -> datetime:
    """Return the next moment of the grid."""
    since = moment - datetime(2000, 1, 1, tzinfo=UTC)
    return moment + (-since % GRID)
