"""The window that an address asks for, as a ticket writes it."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from changewindow.changes.proposing import written_window
from changewindow.documents.text import shown
from changewindow.errors import BadRequest
from changewindow.ticket.window import local_time_text


def asked_window(query: Mapping[str, str], zone: ZoneInfo) -> dict[str, str]:
    """Return the given ones of `start` and `end`, and the `zone` that they are in; nothing where there are none.

    A time with an offset is one moment, and is written in UTC where clocks of the zone would show it twice. One without
    is meant in the zone.

    Raises:
        BadRequest: one of them is no time.
    """
    given = {name: _time(name, query[name]) for name in ("start", "end") if query.get(name)}
    if not given:
        return {}
    try:
        if all(time.tzinfo for time in given.values()):
            first, *_, last = [*given.values()] * 2
            window = written_window(first, last, str(zone))
            return {name: window[name] for name in (*given, "zone")}
        return {**{name: local_time_text(_local(time, zone)) for name, time in given.items()}, "zone": str(zone)}
    except OverflowError as error:
        raise _no_time("start", query.get("start", "")) from error


def _time(name: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise _no_time(name, text) from error


def _local(time: datetime, zone: ZoneInfo) -> datetime:
    return time.astimezone(zone).replace(tzinfo=None) if time.tzinfo else time


def _no_time(name: str, text: str) -> BadRequest:
    return BadRequest(f"{name}: {shown(text)} is no time. Write it like 2031-03-18T14:00.")
