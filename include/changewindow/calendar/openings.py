"""The next times at which a change may run, with why it may not before."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from changewindow.calendar.intervals import Interval, gaps, intersect
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
    """The zone of its window, or of the freeze around it: in it people will say the time."""


def openings(schedule: Schedule, scope: Scope, after: datetime, needs: timedelta = timedelta(0)) -> Iterator[Opening]:
    """Yield the times in which a change that needs so long may run, for two years; they are looked for one by one."""
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
    found = sorted({*_no_window(schedule, scope, gap), *_freezes(schedule, scope, gap)})
    short = schedule.free_times(scope, gap) if found else []
    found += [(one.start, _too_short(one, needs, _zone(schedule, scope, one))) for one in short]
    return _shortened([says for _, says in sorted(found)])


def despite(schedule: Schedule, scope: Scope, within: Interval) -> tuple[str, ...]:
    """Return the freezes of an interval that do not hold for a change because of an exception: one line for each."""
    found = (
        (one.span.start, f"freeze {titled(freeze.entry.name, one.title)} from {span_text(one.span, freeze.zone)}", why)
        for freeze in schedule.freezes
        for why in exemptions_of(freeze.entry, scope)
        for one in freeze.meeting(within)
    )
    return _shortened([f"{says}: {exemption.name}" for _, says, exemption in sorted(found, key=lambda one: one[:2])])


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
    """Yield the pieces of an interval, each longer than the last: the first answer comes soon."""
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
    """Yield the freezes that take something away; one while no window is open anyway does not."""
    opened = schedule.open_times(scope, gap)
    for freeze, one in schedule.frozen(scope, gap):
        if intersect(opened, [one.span]):
            name = titled(freeze.entry.name, one.title)
            yield one.span.start, f"freeze {name} from {span_text(one.span, freeze.zone)}"


def _too_short(free: Interval, needs: timedelta, zone: str) -> str:
    return f"only {length_text(free.length)} from {span_text(free, zone)}, {length_text(needs)} needed"


def _zone(schedule: Schedule, scope: Scope, free: Interval) -> str:
    """Return the zone in which people say a free time: of its window, of the freeze around it, or the calendar's."""
    windows = [one for service in scope.services for one in schedule.windows_of(scope.environment, service)]
    zones = [window.zone for window in windows if window.meeting(Interval(free.start, free.start + MOMENT))]
    for edge in (Interval(free.start - MOMENT, free.start), Interval(free.end, free.end + MOMENT)):
        zones += [freeze.zone for freeze, _ in schedule.frozen(scope, edge)]
    return [*zones, schedule.calendar.zone][0]
