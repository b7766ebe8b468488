"""When a watch takes its samples: often at first, less often later, and not in step with other watches."""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

AT_ONCE = 0.001
"""The share of an interval after which a sample is taken that is due already."""


@dataclass(frozen=True)
class Sampling:
    """The moments of samples: `every` for the time `at_first`, then `later`; each at its interval's end."""

    every: timedelta
    at_first: timedelta = timedelta(0)
    later: timedelta | None = None
    """None samples `every` to the end."""
    phase: float = 0.0
    """From 0 up to, but not including, 1: by which share of an interval all samples come earlier."""

    def first_by(self, due: datetime, begun: datetime) -> "Sampling":
        """Return the same with its first sample no later than it is due: as far within what is left as in an interval.

        The others come at their intervals after it.
        """
        left = min(max((due - begun) / self.every, AT_ONCE), 1)
        return replace(self, phase=1 - left * (1 - self.phase))

    def following(self, begun: datetime, now: datetime, over: datetime) -> datetime:
        """Return the next sample after `now`; one is always taken when the watch is over."""
        following = self._on_grid(begun, now)
        return over if now < over < following else following

    def missed(self, begun: datetime, last: datetime, now: datetime) -> int:
        """Return how many samples should have been taken after `last`, and before `now`."""
        if now <= last:
            return 0
        if self.later is None:
            return self._count(now - begun, self.every) - self._count(last - begun, self.every)
        slows = begun + self.at_first
        fast = self._count(min(now, slows) - begun, self.every) - self._count(min(last, slows) - begun, self.every)
        slow = self._count(max(now, slows) - slows, self.later) - self._count(max(last, slows) - slows, self.later)
        return fast + slow

    def _on_grid(self, begun: datetime, now: datetime) -> datetime:
        if self.later is None:
            return self._next(begun, now, self.every)
        slows = begun + self.at_first
        fast = self._next(begun, now, self.every)
        return fast if fast <= slows else self._next(slows, max(now, slows), self.later)

    def _next(self, start: datetime, now: datetime, every: timedelta) -> datetime:
        place = self._count(now - start, every) + 1
        return start + every * (place - self.phase)

    def _count(self, passed: timedelta, every: timedelta) -> int:
        """Return how many samples at this interval are due after so much time; a slow sample skips, never bunches."""
        return max(math.floor(passed / every + self.phase), 0)
