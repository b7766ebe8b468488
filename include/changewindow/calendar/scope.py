"""The change, and the time, that the calendar is asked about."""

from dataclasses import dataclass
from datetime import datetime

from changewindow.calendar.intervals import Interval
from changewindow.calendar.model import Entry, Exemption, Freeze


@dataclass(frozen=True)
class Scope:
    """What decides which windows and freezes apply to a change.

    Raises:
        ValueError: it names no service, so that nothing would apply.
    """

    environment: str
    services: tuple[str, ...]
    type: str
    change: str = ""
    """Its id, once it has one."""

    def __post_init__(self) -> None:
        if not self.services:
            raise ValueError("the change names no service; hand over at least one")

    @property
    def skips_the_calendar(self) -> bool:
        """Return whether windows and freezes do not apply to it."""
        return self.type == "emergency"


@dataclass(frozen=True)
class Span:
    """The time a change asks for: aware moments.

    Raises:
        ValueError: they are not in order, so that no time would be left to judge.
    """

    start: datetime
    """The first step."""
    watched: datetime
    """The end of the watch: by then the change stays, or its rollback begins."""
    end: datetime
    """The end of the rollback."""

    def __post_init__(self) -> None:
        if not self.start < self.watched <= self.end:
            raise ValueError(f"{self.start}, {self.watched}, {self.end} are not in order; hand over start, watch, end")

    @property
    def whole(self) -> Interval:
        """Return the time from the first step to the end of the rollback."""
        return Interval(self.start, self.end)

    @property
    def forward(self) -> Interval:
        """Return the time from the first step to the end of the watch."""
        return Interval(self.start, self.watched)


def is_for(entry: Entry, environment: str, service: str) -> bool:
    """Return whether an entry applies to a service in an environment."""
    somewhere = not entry.environments or environment in entry.environments
    return somewhere and (not entry.services or service in entry.services)


def frozen_services(freeze: Freeze, scope: Scope) -> tuple[str, ...]:
    """Return the services of a change that a freeze holds for, exceptions left out."""
    return tuple(
        service
        for service in _meant_services(freeze, scope)
        if not any(_is_exempt(exemption, scope, service) for exemption in freeze.exceptions)
    )


def exemptions_of(freeze: Freeze, scope: Scope) -> tuple[Exemption, ...]:
    """Return the exceptions of a freeze without which it would hold for a service of a change."""
    services = _meant_services(freeze, scope)
    return tuple(
        exemption
        for exemption in freeze.exceptions
        if any(_is_exempt(exemption, scope, service) for service in services)
    )


def _meant_services(freeze: Freeze, scope: Scope) -> tuple[str, ...]:
    """Return the services of a change that a freeze applies to, exceptions included."""
    if scope.skips_the_calendar or (freeze.types and scope.type not in freeze.types):
        return ()
    return tuple(service for service in scope.services if is_for(freeze, scope.environment, service))


def _is_exempt(exemption: Exemption, scope: Scope, service: str) -> bool:
    """Return whether all lists of an exemption that are given match."""
    pairs = (
        (exemption.environments, scope.environment),
        (exemption.services, service),
        (exemption.types, scope.type),
        (exemption.changes, scope.change),
    )
    return all(not listed or name in listed for listed, name in pairs)
