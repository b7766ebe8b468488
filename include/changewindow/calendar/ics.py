"""Reads iCalendar files so that every mistake in them is found before anybody relies on them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import icalendar
from pydantic_core import PydanticCustomError

from changewindow.calendar import recurrence
from changewindow.calendar.occurrences import events
from changewindow.calendar.series import Parsed
from changewindow.calendar.series_findings import CODE, findings_of
from changewindow.documents.findings import Finding, are_errors
from changewindow.documents.text import shown
from changewindow.documents.yaml import BadYaml, read_file

EXPORT = "Export it again as iCalendar (.ics)."
UNREADABLE = (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError)
"""What the libraries raise for files that do not follow RFC 5545."""
LONGEST = 200
"""The libraries may quote whole files in their errors."""
TIMES = ("DTSTART", "DTEND", "RECURRENCE-ID", "RDATE", "EXDATE")
ONCE = ("UID", "DTSTART", "DTEND", "DURATION", "RECURRENCE-ID")


@dataclass(frozen=True)
class ReadIcs:
    """What became of a file: a calendar, with warnings at most, or findings; all with their line in the file."""

    calendar: Parsed | None
    findings: tuple[Finding, ...] = ()


def read_ics(path: Path) -> ReadIcs:
    """Read an iCalendar file: every finding at once, ordered by line."""
    try:
        text = read_file(path)
    except BadYaml as bad:
        return ReadIcs(None, (replace(bad.finding, code=CODE),))
    # Zones that a file defines are kept by the library under their names: those of another file must not be found.
    icalendar.use_zoneinfo()  # type: ignore[no-untyped-call]
    try:
        calendars: list[Parsed] = icalendar.Calendar.from_ical(text, multiple=True)
    except UNREADABLE as error:
        return ReadIcs(None, (_wrong(f"it is not iCalendar: {_first_line(error)}", EXPORT, line=1),))
    if [calendar.name for calendar in calendars] != ["VCALENDAR"]:
        return ReadIcs(None, (_wrong(f"it holds {len(calendars)} complete calendars, 1 needed", EXPORT, line=1),))
    findings = tuple(sorted(_findings(calendars[0], text), key=lambda finding: finding.line))
    return ReadIcs(None if are_errors(findings) else calendars[0], findings)


def _wrong(sentence: str, remedy: str, *, line: int = 0) -> Finding:
    return Finding(CODE, sentence, remedy, line=line)


def _findings(calendar: Parsed, text: str) -> Iterator[Finding]:
    zones = _lines(text, "VTIMEZONE")
    for line, zone in zip(zones, calendar.walk("VTIMEZONE"), strict=False):
        yield from (replace(finding, line=line) for finding in _about_zone(zone))
    events = calendar.walk("VEVENT")
    if not events:
        yield _wrong("it has no events", "Add one, or remove the entry from calendar.yaml.", line=1)
    lines = {id(event): line for line, event in zip(_lines(text, "VEVENT"), events, strict=False)}
    mistakes = [(event, finding) for event in events for finding in _about_event(event)]
    yield from (_placed(event, finding, lines) for event, finding in mistakes)
    if events and not mistakes:
        yield from _about_all(calendar, events, lines)


def _placed(event: Parsed, finding: Finding, lines: dict[int, int]) -> Finding:
    """Return a finding with the name of its event, and its line."""
    name = f"the event {shown(str(event.get('SUMMARY', 'without SUMMARY')))}"
    return replace(finding, sentence=f"{name} {finding.sentence}", line=lines.get(id(event), 1))


def _lines(text: str, name: str) -> list[int]:
    """Return the lines in which components of a name begin."""
    lines = text.splitlines()
    return [number for number, line in enumerate(lines, 1) if line.strip().upper() == f"BEGIN:{name}"]


def _about_zone(zone: Parsed) -> Iterator[Finding]:
    for part in zone.subcomponents:
        for rule in _each(part.get("RRULE")):
            name = shown(str(zone.get("TZID")))
            try:
                yearly = recurrence.parse_rule(_text(rule), until=r".*").startswith("FREQ=YEARLY")
            except ValueError as error:
                yield _of_rule(f"the zone {name}", error)
            else:
                # The library looks for the last change of clocks again and again, which takes long for other rules.
                refusal = _wrong(f"the zone {name} has a rule that is not yearly", "Use FREQ=YEARLY.")
                yield from () if yearly else (refusal,)


def _about_event(event: Parsed) -> Iterator[Finding]:
    if not event.get("UID"):
        yield _wrong("has no UID", "Add one, like UID:1@example.com.")
    unusable = list(_unusable(event))
    yield from unusable
    if unusable:
        return
    unknown = sorted({zone for name in TIMES for times in _each(event.get(name)) for zone in _unknown_zones(times)})
    for zone in unknown:
        yield _wrong(f"names the unknown zone {shown(zone)}", "Define it in a VTIMEZONE, or use an IANA name.")
    times = list(_about_times(event))
    yield from times
    if not times:
        yield from _about_rules(event, event["DTSTART"].dt)


def _unusable(event: Parsed) -> Iterator[Finding]:
    """Find properties that cannot be used at all: each may appear once, and has to be readable."""
    yield from (_wrong(f"has a {name} that cannot be read: {reason}", "Correct it.") for name, reason in event.errors)
    if event.errors:
        return
    for name in ONCE:
        if isinstance(event.get(name), list):
            yield _wrong(f"has several {name}", "Keep one.")
    for name in ("DTSTART", "DTEND", "RECURRENCE-ID"):
        if not all(isinstance(getattr(value, "dt", None), date) for value in _each(event.get(name))):
            yield _wrong(f"has a {name} that is neither a date nor a time", "Correct it.")


def _about_times(event: Parsed) -> Iterator[Finding]:
    """Find what is wrong with start and end; an event of a whole day may leave its end out."""
    if "DTSTART" not in event:
        yield _wrong("has no DTSTART", "Add it.")
        return
    start = event["DTSTART"].dt
    if "DTEND" not in event and "DURATION" not in event and isinstance(start, datetime):
        yield _wrong("has no end", "Add DTEND or DURATION.")
        return
    try:
        lasts = event.end - event.start
    except UNREADABLE as error:
        yield _wrong(f"has no readable start and end: {_first_line(error)}", "Correct DTSTART, DTEND or DURATION.")
        return
    if lasts <= timedelta(0):
        yield _wrong("does not end after it starts", "Correct DTSTART, DTEND or DURATION.")


def _about_rules(event: Parsed, start: date) -> Iterator[Finding]:
    rules = _each(event.get("RRULE"))
    if len(rules) > 1 or "EXRULE" in event:
        yield _wrong("has several rules", "Keep one RRULE; write single days as RDATE and EXDATE.")
        return
    for rule in rules:
        try:
            first = start if isinstance(start, datetime) else datetime.combine(start, time())
            parsed = recurrence.parse_rule(_text(rule), until=_until(start))
            recurrence.check_start(parsed, first)
        except ValueError as error:
            yield _of_rule(f"has the RRULE {_text(rule)}", error)


def _until(start: date) -> str:
    """Return what an UNTIL has to look like: of the kind of DTSTART, and in UTC if that has a zone."""
    if not isinstance(start, datetime):
        return r"[0-9]{8}"
    return recurrence.IN_UTC if start.tzinfo else r"[0-9]{8}T[0-9]{6}"


def _about_all(calendar: Parsed, written: list[Parsed], lines: dict[int, int]) -> Iterator[Finding]:
    """Find what only shows in all events together; finally expand a year of them to see that it works."""
    uids = Counter(str(event["UID"]) for event in written if "RECURRENCE-ID" not in event)
    for uid, count in uids.items():
        if count > 1:
            yield _wrong(f"{count} events have the UID {shown(uid)}", "Give each its own.", line=1)
    days = [event["DTSTART"].dt for event in written]
    first = min(date(day.year, day.month, day.day) for day in days)
    try:
        start = datetime.combine(first, time(), UTC)
        list(events(calendar, UTC)(start, start + timedelta(days=366)))
        yield from [_placed(event, finding, lines) for event, finding in findings_of(calendar)]
    except UNREADABLE as error:
        yield _wrong(f"its events cannot be expanded: {_first_line(error)}", EXPORT, line=1)


def _unknown_zones(times: Any) -> Iterator[str]:
    """Yield the names of unknown zones; the library reads such times as if they had no zone."""
    written = times.dts if hasattr(times, "dts") else [times]
    for value in written:
        local = value.dt[0] if isinstance(value.dt, tuple) else value.dt
        zone = times.params.get("TZID") or value.params.get("TZID")
        if zone and isinstance(local, datetime) and local.tzinfo is None:
            yield str(zone)


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _text(rule: Any) -> str:
    return str(rule.to_ical().decode())


def _of_rule(what: str, error: ValueError) -> Finding:
    """Return the finding for a rule that our own reader refuses, or the library, which knows no remedy."""
    context = (error.context if isinstance(error, PydanticCustomError) else None) or {}
    return _wrong(f"{what}: {context.get('sentence', error)}", context.get("remedy", EXPORT))


def _first_line(error: Exception) -> str:
    text = str(error).partition("\n")[0].rstrip(". ")
    return text[:LONGEST] if text else type(error).__name__
