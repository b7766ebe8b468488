"""The stretch of days that the calendar shows: which view, around which day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from changewindow.calendar.intervals import Interval
from changewindow.documents.text import nearest, shown
from changewindow.errors import BadRequest

VIEWS: Mapping[str, str] = {"month": "Month", "week": "Week", "day": "Day", "list": "List", "targets": "Targets"}
"""The views, with their titles; targets is a week by target."""
MOST_DAYS = 62
"""Days that one request may ask for."""
LISTED = timedelta(days=28)
WEEK = timedelta(days=7)
DAY = timedelta(days=1)
YEARS = range(2000, 2200)


@dataclass(frozen=True)
class Stretch:
    """Days from the first up to, but not including, the last."""

    view: str
    day: date
    """The day it is about."""
    first: date
    last: date

    @property
    def title(self) -> str:
        """Return what it shows, in words."""
        if self.view == "month":
            return f"{self.day:%B %Y}"
        if self.last - self.first == DAY:
            return f"{self.first:%A, %-d %B %Y}"
        return f"{self.first:%-d %B %Y} to {self.last - DAY:%-d %B %Y}"

    @property
    def earlier(self) -> date:
        """Return the day of the stretch before."""
        return self.day.replace(day=1) - DAY if self.view == "month" else self.day - (self.last - self.first)

    @property
    def later(self) -> date:
        """Return the day of the stretch after."""
        if self.view == "month":
            return (self.day.replace(day=1) + timedelta(days=32)).replace(day=1)
        return self.day + (self.last - self.first)


def stretch_of(query: Mapping[str, str], today: date) -> Stretch:
    """Return the stretch that a query asks for with `view` and `date`: the month of today without them.

    Raises:
        BadRequest: there is no such view, or no such day.
    """
    view = query.get("view") or "month"
    if view not in VIEWS:
        raise BadRequest(f"There is no view {shown(view)}. Try '{nearest(view, VIEWS) or 'month'}'.")
    day = day_of(query.get("date") or "", today)
    monday = day - timedelta(days=day.weekday())
    if view == "month":
        return _month(day)
    if view == "day":
        return Stretch(view, day, day, day + DAY)
    return Stretch(view, day, monday, monday + (LISTED if view == "list" else WEEK))


def day_of(written: str, otherwise: date) -> date:
    """Return the day written as `2026-12-24`; another one where nothing is written.

    Raises:
        BadRequest: it is no day, or one that nobody plans for.
    """
    try:
        day = date.fromisoformat(written) if written else otherwise
    except ValueError as error:
        raise BadRequest(f"{shown(written)} is not a day. Write it like 2026-12-24.") from error
    if day.year not in YEARS:
        raise BadRequest(f"{day} is too far away. Choose a day from {YEARS[0]} to {YEARS[-1]}.")
    return day


def days_between(first: date, last: date, zone: tzinfo) -> Interval:
    """Return the time from the first day up to, but not including, the last, as the clocks of a zone show them.

    Raises:
        BadRequest: they are in the wrong order, or too far apart.
    """
    days = (last - first).days
    if not 0 < days <= MOST_DAYS:
        raise BadRequest(f"From {first} to {last} is {days} days. Ask for 1 to {MOST_DAYS}.")
    return Interval(*(datetime.combine(day, time(), zone) for day in (first, last)))


def _month(day: date) -> Stretch:
    """Return the whole weeks that hold the days of a month."""
    first = day.replace(day=1)
    after = (first + timedelta(days=32)).replace(day=1)
    ends = after + timedelta(days=-after.weekday() % 7)
    return Stretch("month", day, first - timedelta(days=first.weekday()), ends)
