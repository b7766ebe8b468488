"""Notices when the event loop of a watch does not run: what it reads meanwhile says nothing about a service.

A loop that is held up, by a process without CPU or by one that was stopped, finds every answer too late, and takes its
own absence for that of the service.
"""

import asyncio
import time
from collections import deque
from datetime import timedelta
from weakref import WeakKeyDictionary

from changewindow.systems.measurement import SourceError

EVERY = 0.25
"""Seconds from one look at the clock to the next."""
LATE = timedelta(seconds=1)
"""How long the loop may not have run while a reading was taken ..."""
OF_THE_TIME = 0.5
"""... or which part of the time that the reading may take, if that is less."""
KEPT = 1000


def clock() -> float:
    """Return seconds that nobody sets, those among them in which the machine slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lateness:
    """When an event loop did not run, though it was time for its next look at the clock."""

    def __init__(self) -> None:
        self.due = clock()
        self.pauses: deque[tuple[float, float]] = deque(maxlen=KEPT)
        """The beginning and the end of each, oldest first."""
        self._look()

    def since(self, moment: float) -> timedelta:
        """Return how long the loop did not run since a moment of `clock`, until now."""
        return timedelta(seconds=self._seconds(moment))

    def require(self, moment: float, within: timedelta, error: SourceError | None = None) -> None:
        """Let a reading count only if the loop has run since a moment at which it began, whatever came out.

        Raises:
            SourceError: `late`, the loop has not run.
        """
        pause = self._seconds(moment)
        if pause and pause >= min(LATE, within * OF_THE_TIME).total_seconds():
            raise SourceError("late", not_running(timedelta(seconds=pause))) from error

    def _seconds(self, moment: float) -> float:
        lost = max(clock() - max(self.due, moment), 0.0)
        for begin, end in reversed(self.pauses):
            if end <= moment:
                break
            lost += end - max(begin, moment)
        return lost

    def _look(self) -> None:
        now = clock()
        if now - self.due > EVERY:
            self.pauses.append((self.due, now))
        self.due = now + EVERY
        asyncio.get_running_loop().call_later(EVERY, self._look)


_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, Lateness] = WeakKeyDictionary()


def lateness() -> Lateness:
    """Return the lateness of this event loop, which is noticed from the first call on."""
    loop = asyncio.get_running_loop()
    return _of_loops.get(loop) or _of_loops.setdefault(loop, Lateness())


def not_running(pause: timedelta) -> str:
    """Return the sentence about a watch that did not run."""
    return f"the watch itself was not running for {pause.total_seconds():.3g} s, which says nothing about the service"
