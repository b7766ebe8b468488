"""Measures how long changes waited for each level of approval."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from statistics import median

from changewindow.policy.delivery_metrics import FEW, percentile


@dataclass(frozen=True)
class Decision:
    """A person's yes or no to a text of a change."""

    change: str
    digest: str
    level: str
    text_at: datetime
    """When that text entered the ledger: then people are asked, level by level."""
    at: datetime


@dataclass(frozen=True)
class Waits:
    """How long one level of approval was waited for, in seconds."""

    level: str
    median: float
    p90: float
    changes: tuple[str, ...]
    """One for each decision: a change that two people had to decide about is there twice."""

    @property
    def is_small(self) -> bool:
        """Return whether there are so few decisions that the numbers say little."""
        return len(self.changes) < FEW


def waits(decisions: Iterable[Decision], since: datetime, until: datetime) -> list[Waits]:
    """Return how long people had to be waited for who decided between two moments; the slowest level first.

    The first level is asked when the text enters the ledger, the next one once the level before has decided. What was
    carried over from an earlier text, since only the window moved, is no decision about this one.
    """
    took: dict[str, list[tuple[str, float]]] = {}
    in_order = sorted(decisions, key=attrgetter("change", "digest", "at"))
    for _, of_text in groupby(in_order, key=attrgetter("change", "digest")):
        asked, level, last = None, None, None
        for decision in of_text:
            if decision.at < decision.text_at:
                continue
            if decision.level != level:
                asked, level = last or decision.text_at, decision.level
            last = decision.at
            if asked is not None and since <= decision.at < until:
                took.setdefault(decision.level, []).append((decision.change, (last - asked).total_seconds()))
    found = [_waits(level, waited) for level, waited in took.items()]
    return sorted(found, key=lambda each: (-each.median, each.level))


def _waits(level: str, waited: list[tuple[str, float]]) -> Waits:
    seconds = [length for _, length in waited]
    return Waits(level, median(seconds), percentile(seconds, 0.9) or 0.0, tuple(change for change, _ in waited))
