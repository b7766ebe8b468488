"""The part of the command line about the calendar."""

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from changewindow.calendar.files import CALENDAR, LoadedCalendar, load_calendar
from changewindow.calendar.intervals import Interval
from changewindow.calendar.openings import HORIZON, Opening, despite, openings, why_closed
from changewindow.calendar.schedule import Schedule
from changewindow.calendar.scope import Scope
from changewindow.calendar.text import clock, length_text, listed
from changewindow.cli.embedded import announce_policy, policy_folder
from changewindow.cli.output import count, print_json
from changewindow.documents.findings import are_errors
from changewindow.documents.model_file import read_model
from changewindow.documents.text import hint
from changewindow.documents.types import parse_duration
from changewindow.policy.service_catalogue import Catalogue

GAP = "       closed: "
DESPITE = "       despite: "
CATALOGUE = "services.yaml"


def run(arguments: argparse.Namespace, now: datetime | None = None) -> int:
    """Check the calendar, or show when a service may be changed next."""
    now = now or datetime.now(UTC)
    return lint(arguments) if arguments.action == "lint" else show_next(arguments, now)


def lint(arguments: argparse.Namespace) -> int:
    """Check the calendar and print every finding."""
    loaded = _load(arguments)
    if loaded.schedule:
        calendar = loaded.schedule.calendar
        parts = f"{count(len(calendar.windows), 'window')}, {count(len(calendar.freezes), 'freeze')}"
        print(f"{parts}; a service without a window is {calendar.default}")
    findings = count(len(loaded.findings), "finding")
    print(f"{findings} in {CALENDAR}" if loaded.findings else f"{CALENDAR}, no findings", file=sys.stderr)
    return 1 if are_errors(loaded.findings) else 0


def show_next(arguments: argparse.Namespace, now: datetime) -> int:
    """Print when a service may be changed next, and why not before. JSON has the shape `output.OPENINGS`."""
    try:
        needs = parse_duration(arguments.needs)
    except ValueError as error:
        arguments.misuse(f"--needs: {error}")
    if arguments.count < 1:
        arguments.misuse(f"-n {arguments.count} shows nothing; write 1 or more")
    schedule = _load(arguments).schedule
    if schedule is None:
        return 1
    unknown = list(unknown_names(policy_folder(arguments), schedule, arguments))
    for line in unknown:
        print(f"warning: {line}", file=sys.stderr)
    scope = Scope(arguments.environment, (arguments.service,), arguments.type)
    within = Interval(now, now + HORIZON)
    if arguments.json:
        print_json(openings_json(schedule, scope, within, number=arguments.count, needs=needs))
        return 1 if unknown else 0
    for line in table(schedule, scope, within, number=arguments.count, needs=needs):
        print(line)
    return 1 if unknown else 0  # the answer is right, and perhaps not about what was meant


def unknown_names(folder: Path, schedule: Schedule, asked: argparse.Namespace) -> Iterator[str]:
    """Yield a line for a service, and for an environment, that neither the catalogue nor the calendar names.

    What is shown is then what holds for everybody: a misspelt name has no windows, and no freezes of its own.
    """
    catalogue = read_model(folder / CATALOGUE, Catalogue).model
    if catalogue is None:
        return
    entries = (*schedule.calendar.windows, *schedule.calendar.freezes)
    services = {*catalogue.services, *(name for entry in entries for name in entry.services)}
    known = catalogue.services.get(asked.service)
    everywhere = {name for service in catalogue.services.values() for name in service.environments}
    environments = {*everywhere, *(name for entry in entries for name in entry.environments)}
    if asked.service not in services:
        what_holds = "Shown is what holds for every service."
        yield f"no service is called '{asked.service}'. {hint(asked.service, services)} {what_holds}"
    if asked.environment not in environments:
        yield f"no service has an environment '{asked.environment}'. {hint(asked.environment, environments)}"
    elif known and asked.environment not in known.environments:
        runs = listed(known.environments)
        yield f"'{asked.service}' does not run in {asked.environment}, but in {runs}. Choose with --environment."


def openings_json(
    schedule: Schedule, scope: Scope, within: Interval, *, number: int, needs: timedelta
) -> dict[str, Any]:
    """Return the next openings in the shape of `output.OPENINGS`; `closed` says why there is none."""
    coming = list(islice(openings(schedule, scope, within.start, needs), number))
    rows = [
        {
            "start": opening.start,
            "end": opening.end,
            "zone": opening.zone,
            "closed_before": opening.gaps,
            "despite": despite(schedule, scope, Interval(opening.start, opening.end or within.end)),
        }
        for opening in coming
    ]
    head = {"service": scope.services[0], "environment": scope.environment, "type": scope.type, "needs": needs}
    closed = () if coming else why_closed(schedule, scope, within, needs)
    return {**head, "from": within.start, "until": within.end, "openings": rows, "closed": closed}


def table(schedule: Schedule, scope: Scope, within: Interval, *, number: int, needs: timedelta) -> Iterator[str]:
    """Yield the lines that show the next openings, and between them why it is closed."""
    whom = f"{scope.services[0]} in {scope.environment}, {scope.type} changes{_needing(needs)}"
    yield f"{whom}, from {within.start:%Y-%m-%d %H:%M} UTC on"
    yield ""
    coming = list(islice(openings(schedule, scope, within.start, needs), number))
    rows = [_row(place, opening) for place, opening in enumerate(coming, 1)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else []
    for row, opening in zip(rows, coming, strict=True):
        yield from (f"{GAP}{gap}" for gap in opening.gaps)
        place, *cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"{place.strip().rjust(widths[0])}  {'   '.join(cells)}".rstrip()
        free = Interval(opening.start, opening.end or within.end)
        yield from (f"{DESPITE}{line}" for line in despite(schedule, scope, free))
    if not coming:
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


def _load(arguments: argparse.Namespace) -> LoadedCalendar:
    """Read the calendar; print its findings."""
    folder = announce_policy(arguments)
    loaded = load_calendar(folder)
    for finding in loaded.findings:
        print(finding.text(str(folder / CALENDAR)), file=sys.stdout if arguments.action == "lint" else sys.stderr)
    return loaded
