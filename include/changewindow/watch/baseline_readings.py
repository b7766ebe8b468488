"""Takes the readings of before the change with which its watch compares."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from changewindow.systems.measurement import Connections, PastOf, SourceContext, SourceError
from changewindow.watch.baseline import Compare, middle, number
from changewindow.watch.condition import Condition
from changewindow.watch.reading import measure
from changewindow.watch.shared_answers import sharing

Tell = Callable[[str], None]


@dataclass
class Taken:
    """The readings of before of one condition."""

    condition: Condition
    compare: Compare
    values: list[float] = field(default_factory=list)
    lacks: str = "none was taken in time"
    """Why the last one that is missing is missing."""

    def against(self) -> str | None:
        """Return why nothing can be compared with them, or None."""
        count = len(self.values)
        if count < self.compare.samples:
            return f"{self.condition.name}: {count} of {self.compare.samples} readings of before: {self.lacks}"
        if self.compare.by == "ratio" and middle(self.values) == 0:
            says = f"{self.condition.name}: the median of the readings of before is 0, and nothing has a ratio to 0"
            return f"{says}; compare by difference"
        return None


def longest(conditions: Sequence[Condition]) -> timedelta:
    """Return how long the readings take, if none of them fails."""
    every = [one.compare.every * one.compare.samples for one in conditions if one.compare]
    return max(every, default=timedelta(0))


async def take_before(
    conditions: Sequence[Condition],
    connections: Connections,
    *,
    deadline: datetime,
    tell: Tell,
    change: str | None = None,
    past: PastOf | None = None,
) -> list[Taken]:
    """Read each condition as often as its comparison wants; a reading that fails is taken again until the deadline."""
    taken = [Taken(one, one.compare) for one in conditions if one.compare]
    async with sharing(connections, change, past=past) as context:
        await asyncio.gather(*(_take(one, replace(context, kept={}), deadline, tell) for one in taken))
    return taken


async def _take(taken: Taken, context: SourceContext, deadline: datetime, tell: Tell) -> None:
    compare, name = taken.compare, taken.condition.name
    while True:
        try:
            answer, *_ = await measure(taken.condition, context)
            taken.values.append(number(answer.value))
            tell(f"BEFORE       {name} = {taken.values[-1]:.6g}, {len(taken.values)} of {compare.samples}")
        except SourceError as error:
            taken.lacks = f"{error.cause}, {error}"
            tell(f"BEFORE       {name} ({error.cause}) {error}")
        if len(taken.values) == compare.samples or context.now() + compare.every > deadline:
            return
        await asyncio.sleep(compare.every.total_seconds())
