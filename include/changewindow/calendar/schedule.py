"""A calendar that can be asked which services are open, and which freezes hold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce

import icalendar

from changewindow.calendar.intervals import Interval, intersect, subtract, union
from changewindow.calendar.model import Calendar, Entry, Freeze, MaintenanceWindow
from changewindow.calendar.occurrences import E_co, Occurrence, Timeline
from changewindow.calendar.scope import Scope, frozen_services, is_for


@dataclass(frozen=True)
class Schedule:
    """Windows and freezes that can be asked about any time."""

    calendar: Calendar
    windows: tuple[Timeline[MaintenanceWindow], ...]
    freezes: tuple[Timeline[Freeze], ...]

    @classmethod
    def of(cls, calendar: Calendar, files: Mapping[str, icalendar.Component] | None = None) -> "Schedule":
        """Return the schedule of a calendar and the iCalendar files it names."""

        def timed(entries: Iterable[E_co]) -> tuple[Timeline[E_co], ...]:
            return tuple(Timeline(entry, calendar.zone, _file(entry, files or {})) for entry in entries)

        return cls(calendar, timed(calendar.windows), timed(calendar.freezes))

    def windows_of(self, environment: str, service: str) -> tuple[Timeline[MaintenanceWindow], ...]:
        """Return the windows defined for a service; without any, the calendar's default decides."""
        return tuple(window for window in self.windows if is_for(window.entry, environment, service))

    def open_times(self, scope: Scope, within: Interval) -> list[Interval]:
        """Return when every service of a change is open, freezes left aside."""
        times = (self.open_times_of(scope.environment, service, within) for service in scope.services)
        return reduce(intersect, times, [within])

    def open_times_of(self, environment: str, service: str, within: Interval) -> list[Interval]:
        """Return when a service is open, freezes left aside; some times reach beyond the interval."""
        windows = self.windows_of(environment, service)
        if not windows:
            return [within] if self.calendar.default == "open" else []
        return union(occurrence.span for window in windows for occurrence in window.meeting(within))

    def frozen(self, scope: Scope, within: Interval) -> list[tuple[Timeline[Freeze], Occurrence]]:
        """Return the freezes that hold for a change at some moment of an interval, in their order."""
        holding = (freeze for freeze in self.freezes if frozen_services(freeze.entry, scope))
        pairs = [(freeze, occurrence) for freeze in holding for occurrence in freeze.meeting(within)]
        return sorted(pairs, key=lambda pair: pair[1].span)

    def free_times(self, scope: Scope, within: Interval) -> list[Interval]:
        """Return when a change may run: every service open, and no freeze."""
        if scope.skips_the_calendar:
            return [within]
        frozen = [occurrence.span for _, occurrence in self.frozen(scope, within)]
        return subtract(self.open_times(scope, within), frozen)


def _file(entry: Entry, files: Mapping[str, icalendar.Component]) -> icalendar.Component | None:
    return files[entry.file] if entry.file else None
