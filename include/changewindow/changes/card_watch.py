"""Shows on a card how far a watch is, and which of its conditions is most likely to end it."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from changewindow.changes.card import CardCondition, CardWatch
from changewindow.errors import AlteredRow
from changewindow.ledger import watches
from changewindow.ledger.database import Ledger
from changewindow.watch.bars import BARS, sparkline
from changewindow.watch.comparison import amount
from changewindow.watch.condition import Condition
from changewindow.watch.progress import Followed, Progress

BADNESS = {"fail": 3, "error": 2, "inconclusive": 1}


def watch_of(
    ledger: Ledger, change: str, run: str, conditions: Iterable[Condition], *, now: datetime
) -> CardWatch | None:
    """Return how far the watch of a run is; None before its first sample, and where somebody has written into it."""
    try:
        kept = watches.newest(ledger, change)
    except AlteredRow:
        return None
    return shown(kept.progress, conditions, now) if kept and kept.run == run else None


def shown(progress: Progress, conditions: Iterable[Condition], now: datetime) -> CardWatch:
    """Return a watch as a card shows it."""
    length = progress.over - progress.begun
    until = progress.at if progress.decided else now
    passed = min(max(until - progress.begun, timedelta(0)), length)
    known = {condition.title: condition for condition in conditions}
    seen_now = tuple(_condition(followed, known) for followed in progress.conditions)
    seen = [(_badness(followed, known), place) for place, followed in enumerate(progress.conditions)]
    worst = seen_now[max(seen)[1]] if seen and progress.samples else None
    return CardWatch(passed, length, progress.samples, seen_now, worst)


def _condition(followed: Followed, known: Mapping[str, Condition]) -> CardCondition:
    last = followed.recent[-1] if followed.recent else None
    value = followed.text if last is None else amount(f"{last:.4g}", followed.unit)
    condition = known.get(followed.name)
    limits = condition.limit() if condition else followed.limits
    return CardCondition(followed.name, followed.verdict, value, limits, sparkline(followed.recent[-BARS:]))


def _badness(followed: Followed, known: Mapping[str, Condition]) -> tuple[bool, int, float]:
    """Return what is greater the sooner a condition ends the watch: it decides, its verdict, how near its limit is."""
    condition = known.get(followed.name)
    decides = condition is None or condition.decides
    return decides, BADNESS.get(followed.verdict, 0), _nearness(followed, condition)


def _nearness(followed: Followed, condition: Condition | None) -> float:
    """Return how near the last value is to its limit: 1 and more is past it."""
    last = followed.recent[-1] if followed.recent else None
    if condition is None or last is None:
        return 0.0
    bad, good = condition.bad, condition.good
    highest = bad.only("above") if bad else good.only("below") if good else None
    lowest = bad.only("below") if bad else good.only("above") if good else None
    if highest:
        return last / highest
    return lowest / last if lowest and last else 0.0
