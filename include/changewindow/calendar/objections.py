"""What the calendar has against a change at a time."""

from collections.abc import Iterator

from changewindow.calendar.intervals import Interval, covers
from changewindow.calendar.model import Freeze
from changewindow.calendar.occurrences import Occurrence, Timeline
from changewindow.calendar.openings import MOMENT, openings
from changewindow.calendar.schedule import Schedule
from changewindow.calendar.scope import Scope, Span, frozen_services
from changewindow.calendar.text import clock, length_text, listed, moment_text, span_text, titled
from changewindow.documents.findings import Finding

CODE = "calendar_allows"
"""The check that says so when a change is asked for; the gate says it again under the same id."""
WINDOW = ("window",)
SHORT = 24
"""Openings of up to so many hours are named with their end."""


def objections(schedule: Schedule, scope: Scope, span: Span) -> list[Finding]:
    """Return everything the calendar has against a change at a time, warnings last.

    All of it has to lie within the windows, rollback included; no freeze may hold until the end of its watch. The
    rollback itself may run into a freeze: it restores what the freeze protects.
    """
    if scope.skips_the_calendar:
        return []
    refused = [*_outside_of_windows(schedule, scope, span), *_within_freezes(schedule, scope, span)]
    remedy = _next_opening(schedule, scope, span) if refused else ""
    against = [Finding(CODE, sentence, remedy, WINDOW) for sentence in refused]
    return [*against, *_freezes_ahead(schedule, scope, span)]


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
    for opened in schedule.open_times_of(scope.environment, scope.services[0], span.whole):
        if opened.has(span.start):
            closes = f"the window of {services} ({names}) closes {moment_text(opened.end, zone)}"
            until = clock(windows[0].local(span.end), windows[0].local(opened.end))
            return f"{closes}; with its rollback, the change may last until {until}"
    return f"no window of {services} ({names}) is open at {moment_text(span.start, zone)}, when the change would start"


def _within_freezes(schedule: Schedule, scope: Scope, span: Span) -> Iterator[str]:
    for freeze, occurrence in schedule.frozen(scope, span.forward):
        held = frozen_services(freeze.entry, scope)
        whom = "" if held == scope.services else f" for {listed(held)}"
        name, times = titled(freeze.entry.name, occurrence.title), span_text(occurrence.span, freeze.zone)
        yield f"the freeze {name} holds{whom} from {times}; {_meeting(freeze, occurrence, span)}"


def _meeting(freeze: Timeline[Freeze], occurrence: Occurrence, span: Span) -> str:
    """Return how a change and a freeze meet: by its start, or by the end of its watch."""
    begins = freeze.local(occurrence.span.start)
    if occurrence.span.has(span.start):
        return f"the change would start {clock(freeze.local(span.start), begins)}"
    return f"the watch would end {clock(freeze.local(span.watched), begins)}"


def _freezes_ahead(schedule: Schedule, scope: Scope, span: Span) -> Iterator[Finding]:
    """Yield a warning for each freeze that begins soon, and not before the watch is over."""
    for freeze in schedule.freezes:
        if not freeze.entry.warn or not frozen_services(freeze.entry, scope):
            continue
        for occurrence in freeze.meeting(Interval(span.start, span.start + freeze.entry.warn + MOMENT)):
            if not occurrence.span.meets(span.forward):
                left = occurrence.span.start - span.forward.end
                soon = f"{length_text(left) if left else 'right'} after the end of the watch"
                at = moment_text(occurrence.span.start, freeze.zone)
                sentence = f"the freeze {titled(freeze.entry.name, occurrence.title)} begins {at}, {soon}"
                remedy = "Start on time: a second attempt may not fit before it."
                yield Finding(CODE, sentence, remedy, WINDOW, is_warning=True)


def _next_opening(schedule: Schedule, scope: Scope, span: Span) -> str:
    needs = span.whole.length
    opening = next(openings(schedule, scope, span.start, needs), None)
    if opening is None:
        return f"No time of {length_text(needs)} is open within two years; ask whoever maintains the calendar."
    if opening.end and (opening.end - opening.start).total_seconds() <= SHORT * 3600:
        return f"Ask for a window from {span_text(Interval(opening.start, opening.end), opening.zone)}."
    return f"Ask for a window from {moment_text(opening.start, opening.zone)} on."
