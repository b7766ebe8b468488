"""The next times at which a change may run, with why it may not before."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from changewindow.calendar.intervals import Interval, gaps, intersect
from changewindow.calendar.model import Freeze
from changewindow.calendar.occurrences import Occurrence, Timeline
from changewindow.calendar.schedule import Schedule
from changewindow.calendar.scope import Scope, exemptions_of
from changewindow.calendar.text import length_text, span_text, titled

HORIZON = timedelta(days=731)
"""Nobody plans further ahead than two years."""
FIRST_LOOK = timedelta(days=7)
LONGEST_LOOK = timedelta(days=112)
MOST_REASONS = 6
MOMENT = timedelta(seconds=1)


@dataclass(frozen=True)
class Opening:
    """A time in which a change may run as a whole."""

    start: datetime
    end: datetime | None
    """None when no end is in sight."""
    gaps: tuple[str, ...] = ()
    """Why it may not run between the opening before and this one."""
    zone: str = "UTC"
    """The zone of its window, or of the freeze around it: the one in which people expect its times."""


def openings(schedule: Schedule, scope: Scope, after: datetime, needs: timedelta = timedelta(0)) -> Iterator[Opening]:
    """Yield the times within two years in which a change that needs so long may run, each found on demand."""
    whole = Interval(after, after + HORIZON)
    closed_since = whole.start
    for free in _free_times(schedule, scope, whole):
        if free.length >= needs:
            reasons = why_closed(schedule, scope, Interval(closed_since, free.start), needs)
            end = free.end if free.end < whole.end else None
            yield Opening(free.start, end, reasons, _zone(schedule, scope, free))
            closed_since = free.end


def why_closed(schedule: Schedule, scope: Scope, gap: Interval, needs: timedelta) -> tuple[str, ...]:
    """Return why a change may not run in an interval: one line for each reason, in order of time."""
    reasons = sorted({*_no_window(schedule, scope, gap), *_freezes(schedule, scope, gap)})
    short = schedule.free_times(scope, gap) if reasons else []
    reasons += [(free.start, _too_short(free, needs, _zone(schedule, scope, free))) for free in short]
    return _shortened([reason for _, reason in sorted(reasons)])


def despite(schedule: Schedule, scope: Scope, within: Interval) -> tuple[str, ...]:
    """Return the freezes of an interval that do not hold for a change because of an exception: one line for each."""
    lines = sorted(
        (occurrence.span.start, f"{_freeze_text(freeze, occurrence)}: {exemption.name}")
        for freeze in schedule.freezes
        for exemption in exemptions_of(freeze.entry, scope)
        for occurrence in freeze.meeting(within)
    )
    return _shortened([line for _, line in lines])


def _shortened(lines: list[str]) -> tuple[str, ...]:
    more = len(lines) - MOST_REASONS
    return tuple(lines[:MOST_REASONS] + [f"and {more} more"] * (more > 0))


def _free_times(schedule: Schedule, scope: Scope, whole: Interval) -> Iterator[Interval]:
    """Yield the free times of an interval: looked for piece by piece, and joined where pieces meet."""
    held: Interval | None = None
    for piece in _pieces(whole):
        for free in schedule.free_times(scope, piece):
            if held and held.end == free.start:
                held = Interval(held.start, free.end)
                continue
            if held:
                yield held
            held = free
    if held:
        yield held


def _pieces(whole: Interval) -> Iterator[Interval]:
    """Yield the pieces of an interval, each longer than the last, so that the first answer comes soon."""
    start, length = whole.start, FIRST_LOOK
    while start < whole.end:
        end = min(start + length, whole.end)
        yield Interval(start, end)
        start, length = end, min(length * 2, LONGEST_LOOK)


def _no_window(schedule: Schedule, scope: Scope, gap: Interval) -> Iterator[tuple[datetime, str]]:
    for service in scope.services:
        closed = gaps(schedule.open_times_of(scope.environment, service, gap), gap)
        names = [f"'{window.entry.name}'" for window in schedule.windows_of(scope.environment, service)]
        if closed and names:
            yield closed[0].start, f"no window of {service} is open ({', '.join(names)})"
        elif closed:
            yield (
                closed[0].start,
                f"no window is defined for {service} in {scope.environment}, and the default is closed",
            )


def _freezes(schedule: Schedule, scope: Scope, gap: Interval) -> Iterator[tuple[datetime, str]]:
    """Yield the freezes that close something; one that holds only while no window is open closes nothing."""
    opened = schedule.open_times(scope, gap)
    for freeze, occurrence in schedule.frozen(scope, gap):
        if intersect(opened, [occurrence.span]):
            yield occurrence.span.start, _freeze_text(freeze, occurrence)


def _freeze_text(freeze: Timeline[Freeze], occurrence: Occurrence) -> str:
    return f"freeze {titled(freeze.entry.name, occurrence.title)} from {span_text(occurrence.span, freeze.zone)}"


def _too_short(free: Interval, needs: timedelta, zone: str) -> str:
    return f"only {length_text(free.length)} from {span_text(free, zone)}, {length_text(needs)} needed"


def _zone(schedule: Schedule, scope: Scope, free: Interval) -> str:
    """Return the zone for the times of a free interval: of its window, of the freeze around it, or the calendar's."""
    windows = [window for service in scope.services for window in schedule.windows_of(scope.environment, service)]
    zones = [window.zone for window in windows if window.meeting(Interval(free.start, free.start + MOMENT))]
    for edge in (Interval(free.start - MOMENT, free.start), Interval(free.end, free.end + MOMENT)):
        zones += [freeze.zone for freeze, _ in schedule.frozen(scope, edge)]
    return [*zones, schedule.calendar.zone][0]
