"""The part of the command line about the calendar."""

import argparse
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from changewindow import settings
from changewindow.calendar.files import CALENDAR, LoadedCalendar, load_calendar
from changewindow.calendar.intervals import Interval
from changewindow.calendar.openings import HORIZON, Opening, despite, openings, why_closed
from changewindow.calendar.schedule import Schedule
from changewindow.calendar.scope import Scope
from changewindow.calendar.text import clock, length_text
from changewindow.documents.types import parse_duration

GAP = "       closed: "
DESPITE = "       despite: "


def run(asked: argparse.Namespace, now: datetime) -> int:
    """Do what is asked of the calendar: `lint` or `next`."""
    return lint(asked) if asked.action == "lint" else show_next(asked, now)


def lint(asked: argparse.Namespace) -> int:
    """Check the calendar and print every finding."""
    loaded = _load(asked)
    count = len(loaded.findings)
    if loaded.schedule:
        calendar = loaded.schedule.calendar
        parts = f"{_many(len(calendar.windows), 'window')}, {_many(len(calendar.freezes), 'freeze')}"
        print(f"{parts}; a service without a window is {calendar.default}")
    print(f"{_many(count, 'finding')} in {CALENDAR}" if count else f"{CALENDAR}, no findings", file=sys.stderr)
    return 1 if count else 0


def show_next(asked: argparse.Namespace, now: datetime) -> int:
    """Print when a service may be changed next, and why not before."""
    try:
        needs = parse_duration(asked.needs)
    except ValueError as error:
        asked.misuse(f"--needs: {error}")
    if asked.count < 1:
        asked.misuse(f"-n {asked.count} shows nothing; write 1 or more")
    schedule = _load(asked).schedule
    if schedule is None:
        return 1
    scope = Scope(asked.environment, (asked.service,), asked.type)
    for line in table(schedule, scope, Interval(now, now + HORIZON), count=asked.count, needs=needs):
        print(line)
    return 0


def table(schedule: Schedule, scope: Scope, within: Interval, *, count: int, needs: timedelta) -> Iterator[str]:
    """Yield the lines that show the next openings, and between them why it is closed."""
    whom = f"{scope.services[0]} in {scope.environment}, {scope.type} changes{_needing(needs)}"
    yield f"{whom}, from {within.start:%Y-%m-%d %H:%M} UTC on"
    yield ""
    found = list(islice(openings(schedule, scope, within.start, needs), count))
    rows = [_row(number, opening) for number, opening in enumerate(found, 1)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else []
    for row, opening in zip(rows, found, strict=True):
        yield from (f"{GAP}{gap}" for gap in opening.gaps)
        number, *cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"{number.strip().rjust(widths[0])}  {'   '.join(cells)}".rstrip()
        free = Interval(opening.start, opening.end or within.end)
        yield from (f"{DESPITE}{one}" for one in despite(schedule, scope, free))
    if not found:
        yield f"No opening until {within.end:%Y-%m-%d}:"
        yield from (f"{GAP}{gap}" for gap in why_closed(schedule, scope, within, needs))


def _row(number: int, opening: Opening) -> tuple[str, str, str, str]:
    """Return the cells of an opening: number, local time, UTC, length."""
    length = length_text(opening.end - opening.start) if opening.end else ""
    local = _times(opening, opening.zone, weekday="%a ")
    utc = "" if opening.zone == "UTC" else f"{_times(opening, 'UTC')}"
    return f"{number}.", local, utc, length


def _times(opening: Opening, zone: str, weekday: str = "") -> str:
    start = opening.start.astimezone(ZoneInfo(zone))
    if opening.end is None:
        return f"{start:{weekday}%Y-%m-%d %H:%M} {zone} on"
    end = opening.end.astimezone(ZoneInfo(zone))
    day = f"{end:{weekday}}" if weekday and end.date() != start.date() else ""
    return f"{start:{weekday}%Y-%m-%d %H:%M} to {day}{clock(end, start)} {zone}"


def _needing(needs: timedelta) -> str:
    return f" that need {length_text(needs)}" if needs else ""


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'s'[: count != 1]}"


def _load(asked: argparse.Namespace) -> LoadedCalendar:
    """Read the calendar; print its findings."""
    folder = asked.policy or settings.read().policy
    loaded = load_calendar(folder)
    for finding in loaded.findings:
        print(finding.text(str(folder / CALENDAR)), file=sys.stdout if asked.action == "lint" else sys.stderr)
    return loaded
