"""Reads the calendar of a policy folder into a schedule or findings; never raises for what somebody wrote."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import icalendar

from changewindow.calendar.ics import ReadIcs, read_ics
from changewindow.calendar.model import Calendar
from changewindow.calendar.schedule import Schedule
from changewindow.documents.findings import Finding, Place, are_errors
from changewindow.documents.model_file import read_model
from changewindow.documents.yaml import parse, read_file

CALENDAR = "calendar.yaml"
REMEDY = "Correct the day, or remove it."


@dataclass(frozen=True)
class LoadedCalendar:
    """What became of the files: a schedule, with warnings at most, or findings."""

    schedule: Schedule | None
    findings: tuple[Finding, ...]
    """All stand in `calendar.yaml`; one about an iCalendar file stands where the file is named."""


def load_calendar(folder: Path) -> LoadedCalendar:
    """Read `calendar.yaml` of a folder with the iCalendar files it names: every finding at once, ordered by line."""
    read = read_model(folder / CALENDAR, Calendar)
    if read.model is None:
        return LoadedCalendar(None, read.findings)
    files = {name: read_ics(folder / name) for name in dict.fromkeys(name for _, name in _named(read.model))}
    findings = tuple(_findings(folder, read.model, files))
    if are_errors(findings):
        return LoadedCalendar(None, findings)
    calendars: dict[str, icalendar.Component] = {name: ics.calendar for name, ics in files.items() if ics.calendar}
    schedule = Schedule.of(read.model, calendars)
    return LoadedCalendar(schedule, (*findings, *_left_out_for_nothing(folder, schedule)))


def _left_out_for_nothing(folder: Path, schedule: Schedule) -> Iterator[Finding]:
    """Yield a warning for each day on which nothing of a file, or no holiday, would begin anyway."""
    document = parse(read_file(folder / CALENDAR))
    parts = (("windows", schedule.windows), ("freezes", schedule.freezes))
    entries = ((part, index, timeline) for part, timelines in parts for index, timeline in enumerate(timelines))
    for part, index, timeline in entries:
        place = (part, index, "except_on")
        for day in (day for day in timeline.entry.except_on if not timeline.begins_on(day)):
            sentence = f"{day} is left out, a {day:%A}, when nothing would begin"
            yield Finding("calendar", sentence, REMEDY, place, document.line(place), is_warning=True)


def _named(calendar: Calendar) -> Iterator[tuple[Place, str]]:
    """Yield every file that an entry names, with its place."""
    for part, entries in (("windows", calendar.windows), ("freezes", calendar.freezes)):
        for index, entry in enumerate(entries):
            if entry.file:
                yield (part, index, "file"), entry.file


def _findings(folder: Path, calendar: Calendar, files: dict[str, ReadIcs]) -> Iterator[Finding]:
    document = parse(read_file(folder / CALENDAR))
    for place, name in _named(calendar):
        for finding in files[name].findings:
            sentence = f"{name}, line {finding.line}: {finding.sentence}"
            yield replace(finding, sentence=sentence, place=place, line=document.line(place))
