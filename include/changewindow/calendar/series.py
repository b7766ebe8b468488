"""The occurrences of one event of an iCalendar file: its rule, with what is added, left out and replaced.

Occurrences are compared as moments, in whatever zone or form they are written: an EXDATE or a RECURRENCE-ID names the
one that begins at its moment, and no other. An EXDATE that is a day leaves out all that begin on it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr  # type: ignore[import-untyped]

Parsed = Any
"""A component as the library parsed it; its types allow any value anywhere."""
Dated = tuple[datetime, datetime, Parsed]
"""Start and end as moments, and the component that says so."""
MARGIN = timedelta(days=1)
FAR = timedelta(days=7305)
"""Nobody leaves out what begins twenty years after the first; looking for it would take long."""


def moment(written: date, zone: tzinfo) -> datetime:
    """Return the moment of a written time; without a zone it is in the zone given, and a day means its midnight.

    A time that clocks skip is read with the offset from before the change, one that comes twice is the first: RFC 5545,
    3.3.5. Zones of the zone database do so themselves; those that a file defines leave the first half to us.
    """
    local = written if isinstance(written, datetime) else datetime.combine(written, time())
    local = (local if local.tzinfo else local.replace(tzinfo=zone)).replace(fold=0)
    utc = local.astimezone(UTC)
    if utc.astimezone(local.tzinfo).replace(tzinfo=None) == local.replace(tzinfo=None):
        return utc
    before = (local - timedelta(days=1)).utcoffset() or timedelta(0)
    return (local.replace(tzinfo=None) - before).replace(tzinfo=UTC)


def clocks(written: date, zone: tzinfo) -> datetime:
    """Return a written time as the clocks of a zone show it, without the zone."""
    if not isinstance(written, datetime):
        return datetime.combine(written, time())
    return (written.astimezone(zone) if written.tzinfo else written).replace(tzinfo=None)


def dates(event: Parsed, name: str) -> list[Any]:
    """Return all values of a list of dates; one with its own end is a pair."""
    lists = event.get(name, [])
    return [value.dt for part in (lists if isinstance(lists, list) else [lists]) for value in part.dts]


def is_cancelled(event: Parsed) -> bool:
    """Return whether an event is marked as one that does not happen."""
    return str(event.get("STATUS", "")).upper() == "CANCELLED"


def version(event: Parsed) -> tuple[int, datetime]:
    """Return what grows with each revision of an event: RFC 5546, 2.1.5."""
    stamp = getattr(event.get("DTSTAMP"), "dt", None)
    return int(event.get("SEQUENCE", 0)), moment(stamp, UTC) if stamp else datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Zones:
    """By whose clocks times are meant: whole days, times without a zone, and those in UTC."""

    days: tzinfo
    floating: tzinfo
    utc: tzinfo

    def of(self, written: date) -> tzinfo:
        """Return the zone in which a time is meant, and repeats."""
        if not isinstance(written, datetime):
            return self.days
        if written.tzinfo is None:
            return self.floating
        return self.utc if written.tzinfo is UTC or str(written.tzinfo) == "UTC" else written.tzinfo

    def moment(self, written: date) -> datetime:
        """Return the moment of a written time."""
        return moment(written, self.of(written))


@dataclass(frozen=True)
class Recurring:
    """An event that may repeat, without what replaces single occurrences of it."""

    event: Parsed
    zone: tzinfo
    """The one by whose clocks it repeats."""

    @cached_property
    def length(self) -> timedelta:
        """Return how long it lasts, by the clocks."""
        return clocks(self.event.end, self.zone) - clocks(self.event.start, self.zone)

    @cached_property
    def _rule(self) -> rrule:
        """Return its rule by local times, without its end, which is a moment; once is a rule too."""
        parts = self._rule_text.split(";")
        endless = ";".join(part for part in parts if not part.startswith("UNTIL="))
        return rrulestr(endless, dtstart=clocks(self.event.start, self.zone), cache=True)

    @cached_property
    def _rule_text(self) -> str:
        return str(self.event["RRULE"].to_ical().decode()).upper() if "RRULE" in self.event else "FREQ=DAILY;COUNT=1"

    @cached_property
    def _until(self) -> datetime:
        ends = self.event["RRULE"].get("UNTIL") if "RRULE" in self.event else None
        return moment(ends[0], self.zone) if ends else datetime.max.replace(tzinfo=UTC)

    @cached_property
    def _added(self) -> dict[datetime, timedelta]:
        return dict(self._period(value) for value in dates(self.event, "RDATE"))

    def _period(self, value: Any) -> tuple[datetime, timedelta]:
        if not isinstance(value, tuple):
            return clocks(value, self.zone), self.length
        start, end = value
        begins = clocks(start, self.zone)
        return begins, end if isinstance(end, timedelta) else clocks(end, self.zone) - begins

    @cached_property
    def left_out(self) -> frozenset[date]:
        """Return the moments, and the days, of what does not happen."""
        is_timed = isinstance(self.event.start, datetime)
        return frozenset(
            moment(value, self.zone) if isinstance(value, datetime) or not is_timed else value
            for value in dates(self.event, "EXDATE")
        )

    def begins(self, first: datetime, last: datetime) -> dict[datetime, tuple[datetime, timedelta]]:
        """Return what begins between two moments, and some around: by its moment, the local start and the length."""
        low, high = (clocks(at, self.zone) for at in (first, last))
        regular = {moment(start, self.zone): (start, self.length) for start in self._rule.between(low, high, inc=True)}
        added = {moment(start, self.zone): (start, length) for start, length in self._added.items()}
        return {at: own for at, own in regular.items() if at <= self._until} | added

    def happens(self, at: datetime, start: datetime) -> bool:
        """Return whether what begins at a moment, which is that local time, is not left out."""
        return at not in self.left_out and start.date() not in self.left_out

    def has(self, named: date) -> bool:
        """Return whether something would begin at a time, or on a day, that is named."""
        at = moment(named, self.zone)
        if at - moment(self.event.start, self.zone) > FAR:
            return False
        near = self.begins(at - MARGIN, at + 2 * MARGIN)
        is_day = not isinstance(named, datetime) and isinstance(self.event.start, datetime)
        return any(start.date() == named for start, _ in near.values()) if is_day else at in near


class Series:
    """All components of a file that have one UID: an event, and what replaces occurrences of it."""

    def __init__(self, components: Iterable[Parsed], zones: Zones) -> None:
        self._zones = zones
        components = list(components)
        events = [event for event in components if "RECURRENCE-ID" not in event]
        event = max(events, key=version, default=None)
        self.event = Recurring(event, zones.of(event.start)) if event else None
        self.overrides: dict[datetime, list[Parsed]] = {}
        """The components that replace an occurrence, by its moment, the newest first."""
        for override in sorted((event for event in components if "RECURRENCE-ID" in event), key=version, reverse=True):
            self.overrides.setdefault(self.named(override), []).append(override)
        newest = [(at, overrides[0]) for at, overrides in sorted(self.overrides.items())]
        self._shifts = [(at, override) for at, override in newest if is_of_all_later(override)]

    def named(self, override: Parsed) -> datetime:
        """Return the moment of the occurrence that is replaced."""
        written = override["RECURRENCE-ID"].dt
        return moment(written, self.event.zone) if self.event else self._zones.moment(written)

    def between(self, first: datetime, last: datetime) -> Iterator[Dated]:
        """Yield what happens between two moments, and some around."""
        for at, (override, *_) in self.overrides.items():
            if not self.event or self.event.happens(at, clocks(at, self.event.zone)):
                yield self._zones.moment(override.start), self._zones.moment(override.end), override
        if self.event:
            yield from self._regular(self.event, first, last)

    def _regular(self, event: Recurring, first: datetime, last: datetime) -> Iterator[Dated]:
        moves = [self._move(event, override) for _, override in self._shifts]
        reach = max([event.length, *(abs(by) + length for by, length in moves)]) + MARGIN
        for at, (start, length) in event.begins(first - reach, last + reach).items():
            if at in self.overrides or not event.happens(at, start):
                continue
            said, by = event.event, timedelta(0)
            for since, override in self._shifts:
                if since < at:
                    said, (by, length) = override, self._move(event, override)  # noqa: PLW2901
            begins = start + by
            yield moment(begins, event.zone), moment(begins + length, event.zone), said

    @staticmethod
    def _move(event: Recurring, override: Parsed) -> tuple[timedelta, timedelta]:
        """Return by how much an override moves all later occurrences, and how long they last from then on."""
        start, end, named = (
            clocks(written, event.zone) for written in (override.start, override.end, override["RECURRENCE-ID"].dt)
        )
        return start - named, end - start


def is_of_all_later(override: Parsed) -> bool:
    """Return whether a component replaces an occurrence together with all that follow."""
    return str(override["RECURRENCE-ID"].params.get("RANGE", "")).upper() == "THISANDFUTURE"


def series_of(file: Parsed, zone: tzinfo) -> list[Series]:
    """Return the events of a file, each with what replaces occurrences of it.

    Days, and times without a zone, are in the one given. Where the file names one in X-WR-TIMEZONE, as Google and Apple
    do, times without a zone are in that one, and events whose times are in UTC repeat by its clocks.

    Raises:
        ZoneInfoNotFoundError: there is no such zone.
    """
    named = file.get("X-WR-TIMEZONE")
    home = ZoneInfo(str(named)) if named else None
    by_uid: dict[str, list[Parsed]] = {}
    for event in file.walk("VEVENT"):
        by_uid.setdefault(str(event["UID"]), []).append(event)
    zones = Zones(zone, home or zone, home or UTC)
    return [Series(components, zones) for components in by_uid.values()]
