"""Arithmetic of half-open intervals of time: the start belongs to an interval, the end does not."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, order=True)
class Interval:
    """The time from `start` up to, but not including, `end`; both are kept in UTC.

    Python compares two local times of one zone by their wall clocks, which is wrong in the night when clocks go back;
    so they are converted to UTC first.

    Raises:
        ValueError: a time has no zone.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            moment: datetime = getattr(self, name)
            if moment.tzinfo is None:
                raise ValueError(f"{moment} has no time zone; hand over an aware time")
            object.__setattr__(self, name, moment.astimezone(UTC))

    @property
    def is_empty(self) -> bool:
        """Return whether it holds no moment; an interval that ends before it starts is empty too."""
        return self.end <= self.start

    @property
    def length(self) -> timedelta:
        """Return the time between start and end, never negative."""
        return max(self.end - self.start, timedelta(0))

    def has(self, moment: datetime) -> bool:
        """Return whether a moment lies within."""
        return self.start <= moment < self.end

    def meets(self, other: "Interval") -> bool:
        """Return whether some moment lies within both; intervals that only touch do not meet."""
        return max(self.start, other.start) < min(self.end, other.end)


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the same moments as the fewest intervals: sorted, none touching the next."""
    merged: list[Interval] = []
    for interval in sorted(interval for interval in intervals if not interval.is_empty):
        if merged and interval.start <= merged[-1].end:
            merged[-1] = Interval(merged[-1].start, max(merged[-1].end, interval.end))
        else:
            merged.append(interval)
    return merged


def intersect(some: Iterable[Interval], others: Iterable[Interval]) -> list[Interval]:
    """Return the moments that lie within both, sorted and apart."""
    left, right = union(some), union(others)
    shared: list[Interval] = []
    while left and right:
        both = Interval(max(left[0].start, right[0].start), min(left[0].end, right[0].end))
        shared += [] if both.is_empty else [both]
        (left if left[0].end <= right[0].end else right).pop(0)
    return shared


def subtract(some: Iterable[Interval], others: Iterable[Interval]) -> list[Interval]:
    """Return the moments of the first that do not lie within the others, sorted and apart."""
    taken = union(others)
    left: list[Interval] = []
    for interval in union(some):
        start = interval.start
        for other in taken:
            if other.meets(interval):
                left += [Interval(start, other.start)] if start < other.start else []
                start = other.end
        left += [Interval(start, interval.end)] if start < interval.end else []
    return left


def gaps(intervals: Iterable[Interval], within: Interval) -> list[Interval]:
    """Return the moments of an interval that lie within none of the others."""
    return subtract([within], intervals)


def covers(intervals: Iterable[Interval], wanted: Interval) -> bool:
    """Return whether the others together hold every moment of an interval."""
    return not gaps(intervals, wanted)
