"""What `calendar.yaml` may say."""

import re
from datetime import date, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from changewindow.calendar import recurrence
from changewindow.calendar.minimum_watch import LongerWatch
from changewindow.documents.refusal import refusal
from changewindow.documents.text import nearest, shown
from changewindow.documents.types import Duration, Line, Model, Name
from changewindow.ticket.window import LocalTime, Zone

CHANGE = r"CHG-[1-9][0-9]*"
ICS = r"\w[\w .-]*\.ics"
Type = Literal["normal", "standard", "emergency"]
SOURCES = ("start", "file", "holidays")


def parse_day(value: Any) -> date:
    """Return the day written as `2026-12-24`.

    Raises:
        ValueError: it is not such a day.
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and re.fullmatch(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}", value.strip()):
            return date.fromisoformat(value.strip())
    except ValueError as error:
        raise refusal(f"{shown(value)} is not a real date ({error})", "Write it like 2026-12-24.") from error
    raise refusal(f"{shown(value)} is not a day", "Write it like 2026-12-24.")


def parse_file(value: str) -> str:
    """Return the name of an iCalendar file in the folder of the calendar unchanged.

    Raises:
        ValueError: it is not one, or lies elsewhere.
    """
    if not re.fullmatch(ICS, value):
        sentence = f"{shown(value)} is not an iCalendar file beside calendar.yaml"
        raise refusal(sentence, "Write its name, like maintenance.ics.")
    return value


def parse_change(value: str) -> str:
    """Return the id of a change unchanged.

    Raises:
        ValueError: it is not an id.
    """
    if not re.fullmatch(CHANGE, value):
        raise refusal(f"{shown(value)} is not the id of a change", "Write it like CHG-1042.")
    return value


def parse_country(value: str) -> str:
    """Return a country, or country-subdivision, of which the public holidays are known.

    Raises:
        ValueError: they are not known.
    """
    country, _, part = value.partition("-")
    known = _countries()
    if country not in known:
        near = nearest(country, known)
        remedy = f"Did you mean '{near}'?" if near else "Write a code of ISO 3166, like DE, or DE-BE for a part of it."
        raise refusal(f"the public holidays of {shown(country)} are not known", remedy)
    if "-" in value and part not in known[country]:
        near = nearest(part, known[country])
        parts = ", ".join(known[country]) or "no parts"
        remedy = f"Did you mean '{country}-{near}'?" if near else f"{country} has {parts}."
        raise refusal(f"{country} has no part {shown(part)} with holidays of its own", remedy)
    return value


@cache
def _countries() -> dict[str, list[str]]:
    # Imported when first needed: it knows some 250 countries and is slow to load.
    from holidays import list_supported_countries  # noqa: PLC0415

    return list_supported_countries()


Day = Annotated[
    date,
    BeforeValidator(parse_day),
    PlainSerializer(date.isoformat),
    WithJsonSchema({"type": "string", "pattern": r"^2[0-9]{3}-[0-9]{2}-[0-9]{2}$", "examples": ["2026-12-24"]}),
]
Rule = Annotated[str, AfterValidator(recurrence.parse_rule)]
Country = Annotated[str, AfterValidator(parse_country)]
ChangeId = Annotated[str, AfterValidator(parse_change)]


class Entry(Model):
    """What happens once or again and again: from start to end, on public holidays, or as a file says."""

    name: Line
    """What people call it; messages use it."""
    zone: Zone | None = None
    """IANA name of the time zone of `start` and `end`; without it, the calendar's."""
    environments: tuple[Name, ...] = ()
    """Where it holds; without it, everywhere."""
    services: tuple[Name, ...] = ()
    """The services for which it holds; without it, all."""
    start: LocalTime | None = None
    """Local time at which it begins for the first time, like 2026-01-05 22:00."""
    end: LocalTime | None = None
    """Local time at which it ends for the first time; the end itself does not belong to it."""
    repeat: Rule | None = None
    """The repeat rule (RRULE of RFC 5545), like FREQ=WEEKLY;BYDAY=MO,TU; without it, it happens once."""
    file: Annotated[str, AfterValidator(parse_file)] | None = None
    """Name of an iCalendar file beside calendar.yaml; each of its events is an occurrence."""
    holidays: Country | None = None
    """Country whose public holidays these are, or country-part, like DE or DE-BE; whole local days."""
    except_on: tuple[Day, ...] = ()
    """Local days on which an occurrence that would begin then does not happen."""

    @field_validator("end")
    @classmethod
    def _ends_after_it_starts(cls, end: datetime | None, info: ValidationInfo) -> datetime | None:
        start = info.data.get("start")
        if start and end and end <= start:
            raise refusal("it ends before it starts", "Correct `start` or `end`.")
        return end

    @field_validator("repeat")
    @classmethod
    def _repeats_apart(cls, rule: str | None, info: ValidationInfo) -> str | None:
        start, end = info.data.get("start"), info.data.get("end")
        if rule and start:
            recurrence.check_start(rule, start)
        if rule and start and end:
            recurrence.check_length(rule, start, end)
        return rule

    @field_validator("except_on")
    @classmethod
    def _are_days_of_it(cls, days: tuple[date, ...], info: ValidationInfo) -> tuple[date, ...]:
        start, rule = info.data.get("start"), info.data.get("repeat")
        for day in days:
            if start and not any(begin.date() == day for begin in recurrence.beginnings_until(rule, start, day)):
                raise refusal(f"it would not begin on {day}, a {day:%A}, anyway", "Correct the day, or remove it.")
        return days

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            if not given:
                raise refusal("it never happens", "Add `start` and `end`, `file`, or `holidays`.")
            raise refusal(f"{' and '.join(f'`{name}`' for name in given)} exclude each other", "Keep one of them.")
        if self.start and not self.end:
            raise refusal("it has a `start` but no `end`", "Add `end`.")
        if not self.start and (self.end or self.repeat):
            raise refusal(f"`end` and `repeat` have no meaning with `{given[0]}`", "Remove them.")
        return self


class MaintenanceWindow(Entry):
    """A time in which changes may run."""


class Exemption(Model):
    """Changes that a freeze does not hold for; all lists that are given have to match."""

    name: Line
    """Why, and who agreed to it."""
    environments: tuple[Name, ...] = ()
    """Where."""
    services: tuple[Name, ...] = ()
    """For which services."""
    types: tuple[Type, ...] = ()
    """For which types of change."""
    changes: tuple[ChangeId, ...] = ()
    """For which changes, by id."""

    @model_validator(mode="after")
    def _is_for_somebody(self) -> Self:
        if not (self.environments or self.services or self.types or self.changes):
            remedy = "Add `services`, `environments`, `types` or `changes`."
            raise refusal("it would lift the freeze for everybody", remedy)
        return self


class Freeze(Entry):
    """A time in which no change may run; it wins over every window."""

    types: tuple[Type, ...] = ()
    """The types of change for which it holds; without it, all but emergencies, which skip the calendar."""
    warn: Duration = timedelta(0)
    """A change that begins this long before the freeze, or less, gets a warning."""
    exceptions: tuple[Exemption, ...] = ()
    """Changes that it does not hold for."""

    @field_validator("types")
    @classmethod
    def _can_hold(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        if "emergency" in types:
            raise refusal("emergency changes skip the calendar", "Remove emergency.")
        return types


Named = Entry | LongerWatch


class Calendar(Model):
    """When changes may run."""

    zone: Zone
    """IANA name of the time zone of every entry that names none."""
    default: Literal["open", "closed"]
    """Whether a service for which no window is defined may always be changed (open), or never (closed)."""
    windows: tuple[MaintenanceWindow, ...] = Field(default=(), max_length=500)
    """The maintenance windows; a service that has any may be changed only in them."""
    freezes: tuple[Freeze, ...] = Field(default=(), max_length=500)
    """The times in which nothing may be changed, windows or not."""
    watches: tuple[LongerWatch, ...] = Field(default=(), max_length=500)
    """The minimum length of watches."""

    @field_validator("windows", "freezes", "watches")
    @classmethod
    def _have_their_own_names(cls, entries: tuple[Named, ...]) -> tuple[Named, ...]:
        names = [entry.name.casefold() for entry in entries]
        for index, entry in enumerate(entries):
            if entry.name.casefold() in names[:index]:
                raise refusal(f"two entries are called '{entry.name}'", "Give each its own name.")
        return entries
