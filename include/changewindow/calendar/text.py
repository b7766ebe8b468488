"""How times, windows and freezes are written: in local time, and in UTC."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from changewindow.calendar.intervals import Interval


def moment_text(moment: datetime, zone: str) -> str:
    """Return a moment like `2026-11-27 12:00 Europe/Berlin (11:00 UTC)`."""
    local, utc = moment.astimezone(ZoneInfo(zone)), moment.astimezone(UTC)
    if zone == "UTC":
        return f"{local:%Y-%m-%d %H:%M} UTC"
    return f"{local:%Y-%m-%d %H:%M} {zone} ({clock(utc, local)} UTC)"


def span_text(span: Interval, zone: str) -> str:
    """Return an interval like `2026-11-27 12:00 to 2026-11-28 00:00 Europe/Berlin (11:00 to 23:00 UTC)`."""
    start, end = (moment.astimezone(ZoneInfo(zone)) for moment in (span.start, span.end))
    local = f"{start:%Y-%m-%d %H:%M} to {clock(end, start)} {zone}"
    return local if zone == "UTC" else f"{local} ({clock(span.start, start)} to {clock(span.end, span.start)} UTC)"


def clock(moment: datetime, beside: datetime) -> str:
    """Return the time of day, with its date unless that stands beside it already."""
    return f"{moment:%H:%M}" if moment.date() == beside.date() else f"{moment:%Y-%m-%d %H:%M}"


def titled(name: str, title: str) -> str:
    """Return the name of an entry in quotes, with the title of one occurrence when that says more."""
    return f"'{name}'" if title in {"", name} else f"'{name}' ({title})"


def listed(names: Iterable[str]) -> str:
    """Return names as people list them: `a, b and c`."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def length_text(length: timedelta) -> str:
    """Return a length of time to the minute, like `2d 4h30m`."""
    minutes = round(length.total_seconds() / 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    clocked = f"{hours}h" * bool(hours) + f"{rest}m" * bool(rest)
    return " ".join(filter(None, (f"{days}d" * bool(days), clocked))) or "0m"
