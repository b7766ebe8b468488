"""Says until when a terminal may act that does not hear from the ledger: after its leases, others roll it back."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from changewindow.documents.types import duration_text
from changewindow.ledger.leases import RENEWED

TO_ROLL_BACK = timedelta(minutes=5)
"""How long before its leases run out it begins to roll back, so that it has done so before others may."""
SPARE = timedelta(seconds=20)
"""How long before that it stops for good: programs have to end, and clocks of two hosts differ."""


@dataclass(frozen=True)
class Instant:
    """A moment by two clocks: one that may be set, and one that stands still while the host sleeps."""

    at: datetime
    ticks: float

    def until(self, other: "Instant") -> timedelta:
        """Return how long after this one another is: the longer of what the clocks say."""
        return max(other.at - self.at, timedelta(seconds=other.ticks - self.ticks))


class Contact:
    """When the ledger has last renewed the leases; where it has never known of the change, nobody else acts on it."""

    def __init__(self, known_at: datetime | None = None) -> None:
        self._last = None if known_at is None else self.clock(known_at)

    @staticmethod
    def clock(now: datetime) -> Instant:
        """Return the present by both clocks."""
        return Instant(now, time.monotonic())

    def made(self, asked: Instant) -> None:
        """Take note that the ledger has answered what it was asked then."""
        self._last = asked

    @property
    def has_been(self) -> bool:
        """Return whether the ledger knows of the change."""
        return self._last is not None

    def left(self, now: datetime) -> str:
        """Return in how long others may act, as text."""
        rest = int((RENEWED - self._silence(now)).total_seconds())
        return f"in {duration_text(timedelta(seconds=rest))}" if rest > 0 else "any moment"

    def forget(self) -> None:
        """Act without the ledger: a person has made sure that nobody else does."""
        self._last = None

    def is_cut_off(self, now: datetime) -> bool:
        """Return whether it is time to roll back."""
        return self._silence(now) >= RENEWED - TO_ROLL_BACK

    def is_lost(self, now: datetime) -> bool:
        """Return whether others may act by now, or nearly so."""
        return self._silence(now) >= RENEWED - SPARE

    def since(self, now: datetime) -> str:
        """Return for how long the ledger has not answered, as text."""
        return duration_text(timedelta(seconds=int(self._silence(now).total_seconds())))

    def _silence(self, now: datetime) -> timedelta:
        return timedelta(0) if self._last is None else self._last.until(self.clock(now))
