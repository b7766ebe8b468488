"""What the calendar says against a change at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

from changewindow.calendar.intervals import Interval, covers
from changewindow.calendar.model import Freeze
from changewindow.calendar.occurrences import Occurrence, Timeline
from changewindow.calendar.openings import MOMENT, openings
from changewindow.calendar.schedule import Schedule
from changewindow.calendar.scope import Scope, Span, frozen_services
from changewindow.calendar.text import clock, length_text, listed, moment_text, span_text, titled

SHORT = 24
"""Openings of up to so many hours are named with their end."""


@dataclass(frozen=True)
class Objection:
    """What speaks against a time, with what would make it right; a warning only asks to think twice."""

    says: str
    remedy: str
    is_warning: bool = False


def objections(schedule: Schedule, scope: Scope, span: Span) -> list[Objection]:
    """Return everything that speaks against a change at a time, warnings last.

    All of it has to lie within the windows, the way back included; up to the end of its watch no freeze may hold. The
    way back itself may run into a freeze: taking back is what freezes are for.
    """
    if scope.skips_the_calendar:
        return []
    refused = [*_outside_of_windows(schedule, scope, span), *_within_freezes(schedule, scope, span)]
    remedy = _next_opening(schedule, scope, span) if refused else ""
    return [*(Objection(says, remedy) for says in refused), *_freezes_ahead(schedule, scope, span)]


def _outside_of_windows(schedule: Schedule, scope: Scope, span: Span) -> Iterator[str]:
    """Yield a sentence for each group of services that share their windows, and are not open all the time."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for service in scope.services:
        names = tuple(window.entry.name for window in schedule.windows_of(scope.environment, service))
        groups.setdefault(names, []).append(service)
    for services in groups.values():
        times = schedule.open_times_of(scope.environment, services[0], span.whole)
        if not covers(times, span.whole):
            yield _closed(schedule, Scope(scope.environment, tuple(services), scope.type), span)


def _closed(schedule: Schedule, scope: Scope, span: Span) -> str:
    windows = schedule.windows_of(scope.environment, scope.services[0])
    services = listed(scope.services)
    if not windows:
        return f"no window is defined for {services} in {scope.environment}, and the calendar's default is closed"
    names = ", ".join(f"'{window.entry.name}'" for window in windows)
    zone = windows[0].zone
    for one in schedule.open_times_of(scope.environment, scope.services[0], span.whole):
        if one.has(span.start):
            says = f"the window of {services} ({names}) closes {moment_text(one.end, zone)}"
            local = windows[0].local(one.end)
            return f"{says}; with its way back, the change may last until {clock(windows[0].local(span.end), local)}"
    return f"no window of {services} ({names}) is open at {moment_text(span.start, zone)}, when the change would start"


def _within_freezes(schedule: Schedule, scope: Scope, span: Span) -> Iterator[str]:
    for freeze, one in schedule.frozen(scope, span.forward):
        held = frozen_services(freeze.entry, scope)
        whom = "" if held == scope.services else f" for {listed(held)}"
        says = f"the freeze {titled(freeze.entry.name, one.title)} holds{whom} from {span_text(one.span, freeze.zone)}"
        yield f"{says}; {_meeting(freeze, one, span)}"


def _meeting(freeze: Timeline[Freeze], one: Occurrence, span: Span) -> str:
    """Return how a change and a freeze meet: by its start, or by the end of its watch."""
    begins = freeze.local(one.span.start)
    if one.span.has(span.start):
        return f"the change would start {clock(freeze.local(span.start), begins)}"
    return f"the watch would end {clock(freeze.local(span.watched), begins)}"


def _freezes_ahead(schedule: Schedule, scope: Scope, span: Span) -> Iterator[Objection]:
    """Yield a warning for each freeze that begins soon, and not before the watch is over."""
    for freeze in schedule.freezes:
        if not freeze.entry.warn or not frozen_services(freeze.entry, scope):
            continue
        for one in freeze.meeting(Interval(span.start, span.start + freeze.entry.warn + MOMENT)):
            if not one.span.meets(span.forward):
                left = one.span.start - span.forward.end
                soon = f"{length_text(left) if left else 'right'} after the end of the watch"
                at = moment_text(one.span.start, freeze.zone)
                says = f"the freeze {titled(freeze.entry.name, one.title)} begins {at}, {soon}"
                yield Objection(says, "Start on time: a second attempt may not fit before it.", is_warning=True)


def _next_opening(schedule: Schedule, scope: Scope, span: Span) -> str:
    needs = span.whole.length
    opening = next(openings(schedule, scope, span.start, needs), None)
    if opening is None:
        return f"No time of {length_text(needs)} is open within two years; ask those who keep the calendar."
    if opening.end and (opening.end - opening.start).total_seconds() <= SHORT * 3600:
        return f"Ask for a window from {span_text(Interval(opening.start, opening.end), opening.zone)}."
    return f"Ask for a window from {moment_text(opening.start, opening.zone)} on."
