"""The minimum length of watches: longer where the risk is high, or before days when nobody is looking."""

from datetime import datetime, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import Field

from changewindow.documents.types import Duration, Line, Model, Name
from changewindow.ticket.model import Ticket
from changewindow.ticket.window import Zone

Day = Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


class LongerWatch(Model):
    """A minimum length for the watches of some changes; if several apply, the longest counts."""

    name: Line
    """What people call it; messages use it."""
    at_least: Duration = Field(gt=timedelta(0))
    """The minimum length of their watches."""
    days: tuple[Day, ...] = ()
    """On which days, where the change's window touches one of them; without it, on all."""
    zone: Zone | None = None
    """IANA name of the time zone of these days; without it, the calendar's."""
    risks: tuple[Literal["low", "medium", "high"], ...] = ()
    """For which risks; without it, for all."""
    types: tuple[Literal["normal", "standard", "emergency"], ...] = ()
    """For which types of change; without it, for all but emergencies."""
    environments: tuple[Name, ...] = ()
    """Where; without it, everywhere."""
    services: tuple[Name, ...] = ()
    """For which services; without it, for all."""

    def is_for(self, ticket: Ticket, zone: str) -> bool:
        """Return whether it holds for a change; `zone` is that of the calendar."""
        chosen: tuple[tuple[tuple[str, ...], set[str]], ...] = (
            (self.risks, {ticket.risk}),
            (self.types or ("normal", "standard"), {ticket.type}),
            (self.environments, {ticket.environment}),
            (self.services, set(ticket.services)),
            (self.days, days(ticket.window.opens, ticket.window.closes, self.zone or zone)),
        )
        return all(not listed or actual & set(listed) for listed, actual in chosen)


def days(start: datetime, end: datetime, zone: str) -> set[str]:
    """Return the days of the week that a time touches in a zone; its end does not belong to it."""
    names = get_args(Day)
    first, last = (moment.astimezone(ZoneInfo(zone)).date() for moment in (start, end - timedelta(microseconds=1)))
    count = min((last - first).days + 1, len(names))
    return {names[(first.weekday() + day) % len(names)] for day in range(count)}
