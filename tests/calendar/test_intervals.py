"""Arithmetic of half-open intervals holds for every interval, whatever its zone."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changewindow.calendar.intervals import Interval, covers, gaps, intersect, subtract, union

BEGIN = datetime(2031, 3, 18, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def between(start: int, end: int) -> Interval:
    """Return an interval by its minutes."""
    return Interval(BEGIN + timedelta(minutes=start), BEGIN + timedelta(minutes=end))


MINUTES = st.integers(0, 30)
INTERVAL = st.builds(between, MINUTES, MINUTES)
INTERVALS = st.lists(INTERVAL, max_size=8)
MOMENT = st.builds(lambda half: BEGIN + timedelta(seconds=30 * half), st.integers(-2, 64))


def holds(intervals: list[Interval], moment: datetime) -> bool:
    """Return whether one of the intervals has a moment."""
    return any(interval.has(moment) for interval in intervals)


@given(INTERVAL, INTERVAL)
def test_meeting_is_symmetric(this: Interval, other: Interval) -> None:
    """Two intervals meet each other, or neither does; they meet when they share a moment."""
    assert this.meets(other) == other.meets(this)
    assert this.meets(other) == bool(intersect([this], [other]))


@given(INTERVALS)
def test_a_union_is_sorted_and_apart(intervals: list[Interval]) -> None:
    """No part is empty, and none touches the next; a second union changes nothing."""
    merged = union(intervals)
    assert all(not interval.is_empty for interval in merged)
    assert all(before.end < after.start for before, after in pairwise(merged))
    assert union(merged) == merged


@given(INTERVALS, INTERVALS, MOMENT)
def test_every_operation_agrees_with_its_moments(
    some: list[Interval], others: list[Interval], moment: datetime
) -> None:
    """A moment lies in the result exactly if it lies in the parts that the operation names."""
    this, other = holds(some, moment), holds(others, moment)
    assert holds(union(some + others), moment) == (this or other)
    assert holds(intersect(some, others), moment) == (this and other)
    assert holds(subtract(some, others), moment) == (this and not other)


@given(INTERVALS, INTERVALS)
def test_what_was_taken_can_be_put_back(some: list[Interval], others: list[Interval]) -> None:
    """What is left, with what was taken of it, is what was there before."""
    assert union(subtract(some, others) + intersect(some, others)) == union(some)
    assert subtract(subtract(some, others), others) == subtract(some, others)


@given(INTERVALS, INTERVAL)
def test_an_interval_is_covered_when_it_has_no_gap(intervals: list[Interval], wanted: Interval) -> None:
    """Gaps and covered parts together are the interval; it is covered when all its moments are."""
    left = gaps(intervals, wanted)
    assert covers(intervals, wanted) == (not left)
    assert union(left + intersect(intervals, [wanted])) == union([wanted])
    halves = [wanted.start + timedelta(seconds=30) * index for index in range(wanted.length // timedelta(seconds=30))]
    assert covers(intervals, wanted) == all(holds(intervals, moment) for moment in halves)


def test_the_end_does_not_belong_to_an_interval() -> None:
    """Intervals that touch do not meet, yet leave no gap."""
    assert not between(0, 5).meets(between(5, 9))
    assert not between(0, 5).has(BEGIN + timedelta(minutes=5))
    assert covers([between(0, 5), between(5, 9)], between(1, 8))


def test_an_empty_interval_is_covered_by_nothing_at_all() -> None:
    """It has no moment that could be missing."""
    assert covers([], between(5, 5))
    assert between(5, 3).length == timedelta(0)


def test_the_hour_that_comes_twice_is_counted_twice() -> None:
    """Local times are compared as moments, not by what the clock shows."""
    night = datetime(2031, 10, 26, 2, 30, tzinfo=BERLIN)
    assert Interval(night, night.replace(fold=1)).length == timedelta(hours=1)


def test_a_time_without_a_zone_is_refused() -> None:
    """Nobody knows which moment it is."""
    with pytest.raises(ValueError, match="2031-03-18 14:00:00 has no time zone; hand over an aware time"):
        Interval(datetime(2031, 3, 18, 14), BEGIN)
