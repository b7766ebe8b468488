"""What the address of a report asks for: which time, which changes, and which number."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from changewindow.documents.text import nearest
from changewindow.errors import BadRequest
from changewindow.policy.delivered import Choice, Span
from changewindow.web.moments import in_zone
from changewindow.web.rendering import at

DAYS = (30, 90, 365)
"""The times that can be chosen by one click."""
LONGEST = timedelta(days=3660)
MOST = 10_000
"""Pages that a list of changes may have."""


@dataclass(frozen=True)
class Query:
    """What is asked for."""

    span: Span
    days: int | None
    """How many days up to now; None: a time from one moment to another."""
    choice: Choice

    def fixed(self, **other: Any) -> dict[str, Any]:
        """Return the query of an address that shows the same changes tomorrow, too; `other` chooses further."""
        every = {**self._own, **other}
        return {name: value for name, value in every.items() if value is not None}

    def text(self, **other: Any) -> str:
        """Return the same as it stands in an address after the question mark."""
        return urlencode(self.fixed(**other))

    @cached_property
    def _own(self) -> dict[str, Any]:
        return {"from": _text(self.span.since), "to": _text(self.span.until), **asdict(self.choice)}


def query_of(asked: Mapping[str, str], *, now: datetime, zone: ZoneInfo) -> Query:
    """Return what an address asks for: the last 30 days of everything, where it says nothing.

    Raises:
        BadRequest: it asks for what there is not.
    """
    choice = Choice(
        service=asked.get("service") or None,
        environment=asked.get("environment") or None,
        owner=asked.get("owner") or None,
        type=asked.get("type") or None,
        risk=asked.get("risk") or None,
        weekday=whole(asked, "weekday", below=7),
        hour=whole(asked, "hour", below=24),
    )
    if asked.get("from") or asked.get("to"):
        return Query(_span(asked, now, zone), None, choice)
    days = whole(asked, "days", below=LONGEST.days + 1) or DAYS[0]
    return Query(Span(now - timedelta(days=days), now), days, choice)


def whole(asked: Mapping[str, str], name: str, *, below: int) -> int | None:
    """Return a whole number of an address; None where it says nothing.

    Raises:
        BadRequest: it is none, or too large.
    """
    given = asked.get(name)
    if not given:
        return None
    if given.isascii() and given.isdigit() and len(given) < 10 and int(given) < below:
        return int(given)
    raise BadRequest(f"`{name}` is '{given}', which is no whole number from 0 to {below - 1}. Choose again.")


def named(asked: Mapping[str, str], name: str, allowed: Mapping[str, Any] | tuple[str, ...], default: str) -> str:
    """Return one of the names that are allowed.

    Raises:
        BadRequest: the address names another one.
    """
    given = asked.get(name) or default
    if given in allowed:
        return given
    meant = nearest(given, allowed) or default
    raise BadRequest(f"There is no `{name}` '{given}' in the reports. Try '{meant}'.")


def _span(asked: Mapping[str, str], now: datetime, zone: ZoneInfo) -> Span:
    until = _moment(asked, "to", zone, is_end=True) or now
    since = _moment(asked, "from", zone, is_end=False) or until - timedelta(days=DAYS[0])
    if not timedelta(0) < until - since <= LONGEST:
        raise BadRequest(
            f"From {at(since, zone)} to {at(until, zone)} ({zone}) is no time that can be reported on. Choose "
            f"an end after the beginning, at most {LONGEST.days} days later."
        )
    return Span(since, until)


def _moment(asked: Mapping[str, str], name: str, zone: ZoneInfo, *, is_end: bool) -> datetime | None:
    """Return a moment; of a mere day its beginning in a zone, or its end."""
    given = asked.get(name)
    if not given:
        return None
    try:
        moment = in_zone(given, zone, is_end=is_end)
    except OverflowError:
        moment = None
    if moment is None:
        raise BadRequest(f"`{name}` is '{given}', which is no day such as 2031-03-18. Choose again.")
    if not 1970 < moment.year < 9000:
        raise BadRequest(f"`{name}` is '{given}'. Choose a year from 1971 to 8999.")
    return moment


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
