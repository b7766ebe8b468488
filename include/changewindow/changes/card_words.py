"""The words of a card that templates share: moments in the zone of a room beside UTC, durations, windows, reasons."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pendulum

from changewindow.changes.card import Card
from changewindow.changes.messages import NOTHING

UTC_ALIKE = frozenset({"UTC", "Etc/UTC", "Zulu", "Etc/Zulu", "Universal", "GMT", "Etc/GMT"})


def clock(moment: datetime, zone: str, *, day: date | None = None) -> str:
    """Return a moment in UTC, and beside it in a zone: `14:02 UTC (15:02 Europe/Berlin)`; with its day on another."""
    utc = moment.astimezone(UTC)
    text = f"{_time(utc, day or utc.date())} UTC"
    if zone in UTC_ALIKE:
        return text
    return f"{text} ({_time(moment.astimezone(ZoneInfo(zone)), utc.date())} {zone})"


def span(begins: datetime, ends: datetime, zone: str) -> str:
    """Return a span in UTC, and beside it in a zone: `2031-03-18 14:00-15:00 UTC (15:00-16:00 Europe/Berlin)`."""
    first, last = begins.astimezone(UTC), ends.astimezone(UTC)
    text = f"{first:%Y-%m-%d} {_span(first, last)} UTC"
    if zone in UTC_ALIKE:
        return text
    here, there = (moment.astimezone(ZoneInfo(zone)) for moment in (begins, ends))
    return f"{text} ({_time(here, first.date())}-{_time(there, here.date())} {zone})"


def hours(begins: datetime, ends: datetime, zone: str) -> str:
    """Return the same for what is today: `14:02-14:10 UTC, 15:02-15:10 Europe/Berlin`."""
    zones = ("UTC",) if zone in UTC_ALIKE else ("UTC", zone)
    moments = ((begins.astimezone(ZoneInfo(name)), ends.astimezone(ZoneInfo(name)), name) for name in zones)
    return ", ".join(f"{_span(first, last)} {name}" for first, last, name in moments)


def took(length: timedelta) -> str:
    """Return a length of time in words: `8 minutes 20 seconds`."""
    return pendulum.duration(seconds=round(length.total_seconds())).in_words() or "0 seconds"


def of_length(passed: timedelta, length: timedelta) -> str:
    """Return how far something is: `7 of 15 min`, below three minutes `40 of 90 s`."""
    unit, seconds = ("min", 60) if length >= timedelta(minutes=3) else ("s", 1)
    done, whole = (each.total_seconds() / seconds for each in (passed, length))
    return f"{int(done)} of {whole:.3g} {unit}"


def bar(passed: timedelta, length: timedelta, width: int = 15) -> str:
    """Return the same as a bar."""
    full = min(int(passed / length * width), width) if length else width
    return "█" * full + "░" * (width - full)


def reasons(text: str) -> list[str]:
    """Return the reasons in a text, one each."""
    return [" ".join(line.split()).removesuffix(";") for line in text.splitlines() if line.strip()]


def changes(card: Card) -> str:
    """Return what its steps do."""
    return "; ".join(f"{step.name} ({step.does})" for step in card.steps)


def has_undo(undoes: str) -> bool:
    """Return whether there is anything to undo."""
    return undoes != NOTHING


def _time(moment: datetime, day: date) -> str:
    """Return a time; with its day where that is another one."""
    return f"{moment:%H:%M}" if moment.date() == day else f"{moment:%Y-%m-%d %H:%M}"


def _span(first: datetime, last: datetime) -> str:
    return f"{first:%H:%M}-{last:%H:%M}" if first.date() == last.date() else f"{first:%H:%M} to {last:%Y-%m-%d %H:%M}"
