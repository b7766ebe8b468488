"""What reached an environment: a change that acted and has ended, or what was done by hand."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Protocol

BY_HAND = "by hand"
"""The type of a record, which is no type of tickets."""
NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Delivered:
    """A deployment; refused, missed, rejected and cancelled changes never become one, nor does a drill."""

    change: str
    type: str
    """normal, standard, emergency or by hand."""
    risk: str
    """low, medium or high; not known of what was done by hand."""
    environment: str
    services: tuple[str, ...]
    owner: str
    """Of its ticket; of what was done by hand, who did it."""
    began: datetime
    """When it passed its gate."""
    ended: datetime
    """When it was over for the first time: kept or rolled back."""
    asked: datetime | None = None
    """When its ticket entered the ledger; None: nobody asked for it beforehand."""
    closes: datetime | None = None
    """The end of its window, as extended."""
    has_failed: bool = False
    """Whether it was rolled back, wholly or not: by its watch, by an abort, or after it had been completed."""
    failing: datetime | None = None
    """When it was decided to take it back."""
    recovered: datetime | None = None
    """When its rollback was verified; None: it has not failed, or its rollback has."""
    is_unplanned: bool = False
    """Whether an incident made it necessary."""
    longest: timedelta | None = None
    """How long its steps and its watch may take together."""
    rollback_estimate: timedelta | None = None

    @property
    def is_by_hand(self) -> bool:
        """Return whether it is a record: nobody watched it, so nobody knows whether it went well."""
        return self.type == BY_HAND

    @property
    def outcome(self) -> str:
        """Return how it ended, in a word."""
        if self.is_by_hand:
            return "recorded"
        if not self.has_failed:
            return "completed"
        return "rolled_back" if self.recovered else "rollback_failed"


@dataclass(frozen=True)
class Span:
    """A time from a moment to another, the second not included."""

    since: datetime
    until: datetime

    @property
    def before(self) -> "Span":
        """Return the time of the same length directly before."""
        return Span(self.since - self.length, self.since)

    @property
    def length(self) -> timedelta:
        """Return how long it is."""
        return self.until - self.since

    def after(self, moment: datetime | None) -> "Span | None":
        """Return what of it lies after a moment; None where nothing does, or there is no such moment."""
        if moment is None or moment >= self.until:
            return None
        return Span(max(self.since, moment), self.until)


class About(Protocol):
    """What is about services of an environment, and has an owner."""

    @property
    def services(self) -> tuple[str, ...]:
        """Return the services."""
        ...

    @property
    def environment(self) -> str:
        """Return the environment."""
        ...

    @property
    def owner(self) -> str:
        """Return the owner."""
        ...


@dataclass(frozen=True)
class Choice:
    """Which deployments are asked for; what is None is not asked."""

    service: str | None = None
    environment: str | None = None
    owner: str | None = None
    type: str | None = None
    risk: str | None = None
    weekday: int | None = None
    """Monday is 0."""
    hour: int | None = None

    def of(self, rows: Iterable[Delivered], span: Span, zone: tzinfo) -> list[Delivered]:
        """Return the deployments of a time that are asked for; weekday and hour are those of a zone."""
        in_span = [row for row in rows if span.since <= row.began < span.until]
        if self == Choice():
            return in_span
        return [row for row in in_span if self.is_about(row) and self._admits(row) and self._is_then(row, zone)]

    def is_about(self, row: About) -> bool:
        """Return whether something is of the service, the environment and the owner that are asked for."""
        return (
            (self.service is None or self.service in row.services)
            and self.environment in {None, row.environment}
            and self.owner in {None, row.owner}
        )

    def _admits(self, row: Delivered) -> bool:
        return self.type in {None, row.type} and self.risk in {None, row.risk}

    def _is_then(self, row: Delivered, zone: tzinfo) -> bool:
        if self.weekday is None and self.hour is None:
            return True
        local = row.began.astimezone(zone)
        return self.weekday in {None, local.weekday()} and self.hour in {None, local.hour}
