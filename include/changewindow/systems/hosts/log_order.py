"""Tells by the order of a log when its entries were written, where whoever wrote them has chosen another time."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

SLACK = timedelta(minutes=1)
"""How far a log may go back in time when a clock is set right."""
Times = tuple[datetime, datetime]
"""What an entry may mean: the same twice, but for the hour that the end of summer time repeats."""


@dataclass(frozen=True)
class Moment:
    """When an entry was written."""

    at: datetime
    earliest: datetime | None = None
    """When at the earliest, where the log does not tell when."""
    dated: datetime | None = None
    """What it says, where that cannot be."""


def in_order(entries: Iterable[Times | None], now: datetime) -> list[Moment | None]:
    """Return when each entry of a log was written, the oldest first; None for one without a time.

    One that goes back in time was written after the one before it and before the next one. One from the future tells
    nothing of the others.
    """
    moments, before = list[Moment | None](), None
    for times in entries:
        at = times and (times[1] if times[1] <= now else times[0])
        if times is None or at is None:
            moments.append(None)
        elif before and at < before - SLACK:
            moments.append(Moment(before, before, at))
        else:
            moments.append(Moment(at, times[0] if times[0] < at else None))
            before = at if at <= now else before
    return _until_the_next(moments, now)


def _until_the_next(moments: list[Moment | None], now: datetime) -> list[Moment | None]:
    later, placed = now, list[Moment | None]()
    for moment in reversed(moments):
        if moment and moment.dated:
            placed.append(replace(moment, at=later, earliest=min(moment.at, later)))
        else:
            placed.append(moment)
            later = moment.at if moment and moment.at <= now else later
    return placed[::-1]
