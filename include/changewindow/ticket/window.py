"""The window of a change: local times that are exact moments."""

import re
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema, field_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.text import nearest, shown
from changewindow.documents.types import Model

TIME = r"2[0-9]{3}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?"
NEVER = datetime(3000, 1, 1, tzinfo=UTC)
"""What no ticket can say as a time."""
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""The `now` of checks that leave the clock aside: every window lies after it."""
NO_ZONES = {"localtime", "Factory"}
"""Names in the zone database that mean something different on every machine."""


def parse_local_time(value: Any) -> datetime:
    """Return the local time written as `2026-03-17 14:00`, without a zone.

    Raises:
        ValueError: it is not such a time.
    """
    if isinstance(value, datetime):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if not re.match(TIME, text):
        raise refusal(f"{shown(value)} is not a time", "Write it like 2026-03-17 14:00.")
    if not re.fullmatch(TIME, text):
        sentence = f"{shown(value)} is more than a local time"
        raise refusal(sentence, "Write it like 2026-03-17 14:00, and the zone in `zone`.")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise refusal(f"{shown(value)} is not a real date ({error})", "Write it like 2026-03-17 14:00.") from error


def local_time_text(moment: datetime) -> str:
    """Return the local time as a ticket would write it."""
    return moment.isoformat(" ", "seconds" if moment.second else "minutes")


def parse_zone(value: str) -> str:
    """Return the name of a time zone unchanged.

    Raises:
        ValueError: there is no such zone.
    """
    try:
        ZoneInfo(value)
        known = value not in NO_ZONES
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = False
    if not known:
        near = nearest(value, available_timezones() - NO_ZONES)
        remedy = f"Did you mean '{near}'?" if near else "Write an IANA name, like UTC or Europe/Berlin."
        raise refusal(f"unknown zone {shown(value)}", remedy)
    return value


def in_utc(local: datetime, zone: str) -> datetime:
    """Return the one moment of a local time.

    Raises:
        ValueError: clocks change then, so it does not exist, or occurs twice.
    """
    first, second = (local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1))
    if first > second:
        sentence = f"{local_time_text(local)} does not exist in {zone}, because clocks go forward then"
        raise refusal(sentence, "Write the window in UTC.")
    if first < second:
        sentence = f"{local_time_text(local)} occurs twice in {zone}, because clocks go back then"
        raise refusal(sentence, "Write the window in UTC.")
    return first


Zone = Annotated[str, AfterValidator(parse_zone)]
LocalTime = Annotated[
    datetime,
    BeforeValidator(parse_local_time),
    PlainSerializer(local_time_text),
    WithJsonSchema({"type": "string", "pattern": f"^{TIME}$", "examples": ["2026-03-17 14:00"]}),
]


class Window(Model):
    """The time in which the change may act."""

    zone: Zone
    """IANA name of the time zone, like UTC or Europe/Berlin."""
    start: LocalTime
    """Local time at which the change may start, like 2026-03-17 14:00."""
    end: LocalTime
    """Local time by which everything is done, the rollback included."""

    @field_validator("start", "end")
    @classmethod
    def _is_one_moment(cls, local: datetime, info: ValidationInfo) -> datetime:
        if "zone" in info.data:
            moment = in_utc(local, info.data["zone"])
            if "start" in info.data and moment <= in_utc(info.data["start"], info.data["zone"]):
                raise refusal("the window ends before it starts", "Correct `start` or `end`.")
        return local

    @cached_property
    def opens(self) -> datetime:
        """Return the start, in UTC."""
        return in_utc(self.start, self.zone)

    @cached_property
    def closes(self) -> datetime:
        """Return the end, in UTC."""
        return in_utc(self.end, self.zone)

    def utc_text(self) -> str:
        """Return start and end in UTC for whoever lives elsewhere, or nothing where the ticket says them so."""
        if self.zone == "UTC":
            return ""
        end = "%H:%M" if self.closes.date() == self.opens.date() else "%Y-%m-%d %H:%M"
        return f"{self.opens:%Y-%m-%d %H:%M} to {self.closes:{end}} UTC"

    @property
    def length(self) -> timedelta:
        """Return the time between start and end."""
        return self.closes - self.opens

    def text(self) -> str:
        """Return the window as people write it: `2026-03-17 14:00-15:00 UTC`."""
        last = f"{self.end:%H:%M}" if self.start.date() == self.end.date() else f"{self.end:%Y-%m-%d %H:%M}"
        return f"{self.start:%Y-%m-%d %H:%M}-{last} {self.zone}"
