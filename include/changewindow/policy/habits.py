"""Finds the emergencies that are none: those of one target that come again and again, or each week at the same hour."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

from changewindow.policy.aftercare import Aftercare
from changewindow.policy.emergencies import Repeated

WEEK = timedelta(days=7)
WEEKS, OF_THEM = 4, 3
"""Of so many weeks, in how many it came at the same hour of the same day."""
APART = timedelta(minutes=30)
"""How far from that hour it may be."""
BACK = WEEKS * WEEK
HABIT = "habit:"
"""With what the name of a habit begins in the ledger."""
NO_EMERGENCY = "This is not an emergency; make it a standard change"


@dataclass(frozen=True)
class Habit:
    """Emergencies of one target that have become a habit."""

    kind: Literal["repeated", "same_hour"]
    target: str
    changes: tuple[str, ...]
    """Oldest first."""
    at: datetime
    """When the newest of them was declared."""
    when: str
    """How often, as people read it."""

    @property
    def about(self) -> str:
        """Return how the ledger names it."""
        return f"{HABIT}{self.kind}:{self.target}"

    @property
    def sentence(self) -> str:
        """Return what was found, and what to do about it."""
        return (
            f"{self.target}: {self.when} ({', '.join(self.changes)}). {NO_EMERGENCY}: "
            f"`changewindow draft {self.changes[-1]}` writes a draft of it."
        )


def habits(owed: Iterable[Aftercare], repeated: Repeated, *, now: datetime, zone: tzinfo = UTC) -> list[Habit]:
    """Return the habits of now, by target; neither drills nor records count, and no emergency that never acted.

    The hour of the week is that of `zone`, so that it stays the same when clocks change.
    """
    by_target: dict[str, list[Aftercare]] = {}
    for each in sorted(owed, key=lambda each: each.began):
        if each.because == "emergency" and each.has_acted and not each.is_drill and each.began <= now:
            for target in each.targets:
                by_target.setdefault(target, []).append(each)
    found = [
        habit
        for target, known in sorted(by_target.items())
        for habit in (_repeated(target, known, repeated, now), _same_hour(target, known, now, zone))
    ]
    return [habit for habit in found if habit is not None]


def earliest(repeated: Repeated, now: datetime) -> datetime:
    """Return since when emergencies have to be known to find the habits of now."""
    return now - max(repeated.within, BACK + APART)


def _repeated(target: str, known: Sequence[Aftercare], repeated: Repeated, now: datetime) -> Habit | None:
    recent = [each for each in known if each.began > now - repeated.within]
    if len(recent) < repeated.count:
        return None
    days = repeated.within / timedelta(days=1)
    when = f"{len(recent)} emergencies within {days:g} day{'s'[: days != 1]}"
    return Habit("repeated", target, tuple(each.change for each in recent), recent[-1].began, when)


def _same_hour(target: str, known: Sequence[Aftercare], now: datetime, zone: tzinfo) -> Habit | None:
    recent = [each for each in known if each.began > now - BACK - APART]
    for newest in reversed(recent):
        by_week = {week: each for each in recent if (week := _weeks_before(newest, each, zone)) is not None}
        if len(by_week) >= OF_THEM:
            same = tuple(by_week[week].change for week in sorted(by_week, reverse=True))
            hour = newest.began.astimezone(zone)
            when = f"an emergency each {hour:%A} about {hour:%H:%M %Z}, in {len(same)} of the last {WEEKS} weeks"
            return Habit("same_hour", target, same, newest.began, when)
    return None


def _weeks_before(newest: Aftercare, each: Aftercare, zone: tzinfo) -> int | None:
    """Return how many whole weeks one came before another by the clock on the wall; None if at another hour."""
    local = [moment.astimezone(zone).replace(tzinfo=None) for moment in (newest.began, each.began)]
    before = local[0] - local[1]
    weeks = round(before / WEEK)
    return weeks if 0 <= weeks < WEEKS and abs(before - weeks * WEEK) <= APART else None
