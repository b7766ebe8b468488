"""Finds what is wrong with the occurrences that an iCalendar file names: those left out, added and replaced."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

from changewindow.calendar.series import Parsed, Recurring, Series, clocks, dates, is_cancelled, series_of, version
from changewindow.documents.findings import Finding

CODE = "icalendar"
About = tuple[Parsed, Finding]
"""A component, and what is wrong with it; its name and its line stand with it elsewhere."""


def findings_of(file: Parsed) -> Iterator[About]:
    """Yield what is wrong with the occurrences that the events of a file name, each with the event that names it."""
    for series in series_of(file, UTC):
        if series.event:
            yield from ((series.event.event, finding) for finding in _about_dates(series.event))
        for overrides in series.overrides.values():
            for override in overrides:
                yield from ((override, finding) for finding in _about_override(series, override))
            if len(overrides) > 1 and _are_at_odds(overrides[0], overrides[1]):
                names = f"and another one replace the occurrence of {_text(_named(overrides[0]))}, and neither is newer"
                yield overrides[0], Finding(CODE, names, "Remove one of them, or give the right one a higher SEQUENCE.")


def _about_dates(event: Recurring) -> Iterator[Finding]:
    """Find added dates of another kind than the start, and dates left out on which nothing would begin."""
    start = event.event["DTSTART"].dt
    for value in dates(event.event, "RDATE"):
        added = value[0] if isinstance(value, tuple) else value
        if _is_day(added) != _is_day(start):
            yield _of_another_kind("an RDATE", added, start)
    for left_out in dates(event.event, "EXDATE"):
        if not event.has(left_out):
            sentence = f"leaves out {_text(left_out)} (EXDATE), when nothing would begin"
            yield Finding(CODE, sentence, _remedy(event, left_out), is_warning=True)


def _remedy(event: Recurring, named: date) -> str:
    """Return what to write instead: what begins on the day that is named, if something does."""
    day = clocks(named, event.zone).date()
    begins = sorted(start for start, _ in event.begins(*_around(event, day)).values() if start.date() == day)
    return f"Write the time at which it begins, {begins[0]:%Y-%m-%d %H:%M}, or remove it." if begins else "Remove it."


def _around(event: Recurring, day: date) -> tuple[datetime, datetime]:
    return tuple(datetime(day.year, day.month, day.day, hour, tzinfo=event.zone) for hour in (0, 23))  # type: ignore[return-value]


def _about_override(series: Series, override: Parsed) -> Iterator[Finding]:
    named, where = _named(override), override["RECURRENCE-ID"].params.get("RANGE", "THISANDFUTURE")
    if str(where).upper() != "THISANDFUTURE":
        yield Finding(CODE, f"has a RECURRENCE-ID with RANGE={where}", "Write RANGE=THISANDFUTURE, or no RANGE.")
    if not series.event:
        return
    start = series.event.event["DTSTART"].dt
    if _is_day(named) != _is_day(start):
        yield _of_another_kind("a RECURRENCE-ID", named, start)
    elif not series.event.has(named):
        sentence = f"replaces the occurrence of {_text(named)} (RECURRENCE-ID), when nothing would begin"
        yield Finding(CODE, f"{sentence}; it happens beside the others", _remedy(series.event, named), is_warning=True)


def _are_at_odds(newest: Parsed, other: Parsed) -> bool:
    """Return whether two components say different things, and nothing tells which of them is newer."""
    said = [(event.start, event.end, is_cancelled(event)) for event in (newest, other)]
    return version(newest) == version(other) and said[0] != said[1]


def _of_another_kind(what: str, named: date, start: date) -> Finding:
    """Return the finding for a day where times begin, or a time where days do: RFC 5545, 3.8.4.4."""
    kinds = ("a day", "a time") if _is_day(named) else ("a time", "a day")
    sentence = f"has {what} that is {kinds[0]}, {_text(named)}, but the event begins at {kinds[1]}"
    return Finding(CODE, sentence, f"Write it like DTSTART, which is {_text(start)}.")


def _named(override: Parsed) -> date:
    named: date = override["RECURRENCE-ID"].dt
    return named


def _is_day(written: date) -> bool:
    return not isinstance(written, datetime)


def _text(written: date) -> str:
    """Return a time as it is written, with its zone."""
    if not isinstance(written, datetime):
        return f"{written}"
    return f"{written:%Y-%m-%d %H:%M} {getattr(written.tzinfo, 'key', None) or written.tzname() or ''}".rstrip()
