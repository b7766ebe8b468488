"""Takes samples until conditions are good, or until a watch is decided."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from changewindow.condition import Condition
from changewindow.connection import Connection
from changewindow.judgement import Judgement, Route, Tally
from changewindow.reading import Reading, take_all
from changewindow.sources.base import Asking

Connections = Callable[[str], Awaitable[Connection]]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Decided:
    """What came out of watching: the verdict, why, the last sample, and how many there were."""

    verdict: Route
    reason: str
    sample: tuple[Reading, ...]
    samples: int

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON for trigger payloads and events."""
        readings = [reading.as_json() for reading in self.sample]
        return {"verdict": self.verdict, "reason": self.reason, "samples": self.samples, "readings": readings}


async def until_good(
    conditions: Sequence[Condition], connections: Connections, *, every: timedelta, deadline: datetime, tell: Tell
) -> Decided:
    """Read until all conditions are good in one sample; fail when they are not by the deadline. Reads once at least."""
    async with client() as http:
        askings = [Asking(http, connections) for _ in conditions]
        count = 0
        while True:
            sample = await take_all(tuple(conditions), askings)
            count += 1
            for reading in sample:
                tell(reading.line())
            not_good = [reading.line() for reading in sample if reading.verdict != "pass"]
            if not not_good:
                return Decided("pass", "all good", tuple(sample), count)
            if Asking.now() + every > deadline:
                return Decided("fail", "; ".join(not_good), tuple(sample), count)
            await asyncio.sleep(every.total_seconds())


async def watch(
    conditions: Sequence[Condition],
    connections: Connections,
    *,
    since: datetime,
    length: timedelta,
    every: timedelta,
    tell: Tell,
) -> Decided:
    """Read from `since` for `length`, longer while undecided, until the change is proven good or must be taken back.

    A reading counts only if it is newer than `since`, the end of the last step with its time to settle.
    """
    judgement = Judgement([Tally(one.name, one.allowed, one.decides) for one in conditions])
    over = since + length
    async with client() as http:
        askings = [Asking(http, connections) for _ in conditions]
        count = 0
        while True:
            await asyncio.sleep(_until_next(Asking.now(), since, every))
            sample = await take_all(tuple(conditions), askings, newer_than=since)
            count += 1
            is_over = Asking.now() >= over
            left = max((over - Asking.now()).total_seconds(), 0)
            for reading in sample:
                tell(f"{reading.line()} | sample {count}, {left:.0f} s left")
            decided = judgement.add(list(sample), is_over=is_over)
            if decided:
                return Decided(decided[0], decided[1], tuple(sample), count)


def _until_next(now: datetime, since: datetime, every: timedelta) -> float:
    """Return the seconds to the next sample on the grid that begins at `since`; a slow sample skips, never bunches."""
    passed = max(int((now - since) / every), 0)
    return (since + every * (passed + 1) - now).total_seconds()


def client() -> httpx.AsyncClient:
    """Return the client of a watch: it keeps connections, and follows no redirect."""
    return httpx.AsyncClient(follow_redirects=False, timeout=httpx.Timeout(30.0))
