"""Takes the baseline: readings from before the change, with which its watch compares."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from changewindow.systems.measurement import Answer, Connections, PastOf, SourceContext, SourceError
from changewindow.watch.baseline import Compare, middle, number
from changewindow.watch.condition import Condition
from changewindow.watch.reading import measure
from changewindow.watch.shared_answers import sharing

Log = Callable[[str], None]


@dataclass
class Baseline:
    """The readings of one condition from before the change."""

    condition: Condition
    compare: Compare
    values: list[float] = field(default_factory=list)
    last_failure: str = "none was taken in time"
    """Why the last reading that failed has no value."""

    def unusable(self) -> str | None:
        """Return why nothing can be compared with it, or None."""
        count = len(self.values)
        if count < self.compare.samples:
            return f"{self.condition.name}: {count} of {self.compare.samples} baseline readings: {self.last_failure}"
        if self.compare.by == "ratio" and (median := middle(self.values)) <= 0:
            problem = f"{self.condition.name}: the median of the baseline is {median:.6g}, which has no ratio"
            return f"{problem}; compare by difference"
        return None


def longest(conditions: Sequence[Condition]) -> timedelta:
    """Return how long the baseline takes, if no reading fails."""
    lengths = [condition.compare.every * condition.compare.samples for condition in conditions if condition.compare]
    return max(lengths, default=timedelta(0))


async def take_baselines(
    conditions: Sequence[Condition],
    connections: Connections,
    *,
    deadline: datetime,
    log: Log,
    change: str | None = None,
    past: PastOf | None = None,
) -> list[Baseline]:
    """Read each condition as often as its comparison wants; a reading that fails is taken again until the deadline."""
    baselines = [Baseline(condition, condition.compare) for condition in conditions if condition.compare]
    async with sharing(connections, change, past=past) as context:
        await asyncio.gather(*(_take(baseline, replace(context, kept={}), deadline, log) for baseline in baselines))
    return baselines


async def _take(baseline: Baseline, context: SourceContext, deadline: datetime, log: Log) -> None:
    compare, name = baseline.compare, baseline.condition.name
    while True:
        try:
            answer, *_ = await measure(baseline.condition, context)
            baseline.values.append(exact(answer))
            log(f"BASELINE {name} = {baseline.values[-1]:.6g}, {len(baseline.values)} of {compare.samples}")
        except SourceError as error:
            baseline.last_failure = f"{error.cause}, {error}"
            log(f"BASELINE {name} ({error.cause}) {error}")
        if len(baseline.values) == compare.samples or context.now() + compare.every > deadline:
            return
        await asyncio.sleep(compare.every.total_seconds())


def exact(answer: Answer) -> float:
    """Return the number that was measured.

    Raises:
        SourceError: it is none, or nobody knows how much more it is.
    """
    if answer.is_at_least:
        raise SourceError("invalid", f"{answer.value} or more, which is no baseline ({answer.note})")
    return number(answer.value)
