"""Measures how long changes waited for each level of approval."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from statistics import median

from changewindow.policy.delivery_metrics import FEW, percentile


@dataclass(frozen=True)
class Decision:
    """A person's yes or no to a text of a change."""

    digest: str
    level: str
    text_at: datetime
    """When that text entered the ledger: then people are asked, level by level."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Waited:
    """How long a change waited for a decision."""

    change: str
    level: str
    at: datetime
    """When it was made."""
    seconds: float
    environment: str
    services: tuple[str, ...]
    owner: str


@dataclass(frozen=True)
class Waits:
    """How long one level of approval was waited for, in seconds."""

    level: str
    median: float
    p90: float
    changes: tuple[str, ...]
    """One for each decision: a change about which two people had to decide is there twice."""

    @property
    def is_small(self) -> bool:
        """Return whether there are so few decisions that the numbers say little."""
        return len(self.changes) < FEW


def waited(decisions: Iterable[Decision]) -> Iterator[tuple[Decision, float]]:
    """Yield how many seconds one change waited for each decision about it.

    The first level is asked when the text enters the ledger, the next one once the level before has decided. What was
    carried over from an earlier text, since only the window moved, is no decision about this one.
    """
    in_order = sorted(decisions, key=attrgetter("digest", "at"))
    for _, of_text in groupby(in_order, key=attrgetter("digest")):
        own = [decision for decision in of_text if decision.at >= decision.text_at]
        asked = min((decision.text_at for decision in own), default=None)
        for _, of_level in groupby(own, key=attrgetter("level")):
            decided = list(of_level)
            for decision in decided:
                yield decision, (decision.at - (asked or decision.text_at)).total_seconds()
            asked = decided[-1].at


def waits(known: Iterable[Waited]) -> list[Waits]:
    """Return how long each level was waited for; the slowest first."""
    by_level: dict[str, list[Waited]] = {}
    for each in known:
        by_level.setdefault(each.level, []).append(each)
    found = [_waits(level, of_level) for level, of_level in by_level.items()]
    return sorted(found, key=lambda each: (-each.median, each.level))


def _waits(level: str, known: list[Waited]) -> Waits:
    seconds = [each.seconds for each in known]
    return Waits(level, median(seconds), percentile(seconds, 0.9) or 0.0, tuple(each.change for each in known))
