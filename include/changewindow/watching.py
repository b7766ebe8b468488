"""Takes samples until conditions are good, or until a watch is decided."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from changewindow.condition import Condition
from changewindow.judgement import Decision, Judgement, Route, Tally
from changewindow.progress import Followed, Progress
from changewindow.reading import Reading, take_all
from changewindow.sampling import Sampling
from changewindow.sharing import sharing
from changewindow.sources.base import Asking, Connections

Tell = Callable[[str], None]
Keep = Callable[[Progress], None]


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
    async with sharing(connections) as asking:
        askings = [replace(asking, kept={}) for _ in conditions]
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


@dataclass(frozen=True)
class Watched:
    """What is to be watched: the conditions, since when readings count, for how long, and when samples are taken."""

    conditions: tuple[Condition, ...]
    since: datetime
    """The end of the last step with its time to settle; a reading counts only if it is newer."""
    length: timedelta
    sampling: Sampling
    unknown: Route = "fail"
    """Where to go when too little is known: `fail`, or `ask` a person."""
    asked_until: datetime | None = None
    """A person is asked already; with no answer by then, and no verdict, the change is taken back."""

    def begin(self, now: datetime) -> Progress:
        """Return the progress of a watch that begins now: late is later, so that the whole length is watched."""
        begun = max(self.since, now)
        followed = [Followed(name=one.name, limits=one.limits()) for one in self.conditions]
        over = begun + self.length
        return Progress(since=self.since, begun=begun, over=over, at=begun, conditions=followed)

    def settled(self, decided: Decision | None, now: datetime) -> Decision | None:
        """Return a decision that needs nothing more; while a person is asked, the watch goes on without one."""
        if self.asked_until is None or decided is None or decided[0] != "ask":
            return decided
        return ("fail", f"{decided[1]}; nobody answered in time") if now >= self.asked_until else None


async def watch(
    watched: Watched, connections: Connections, *, tell: Tell, keep: Keep, before: Progress | None = None
) -> Decided:
    """Read for the watch's length, longer while undecided, until the change is proven good or must be taken back.

    `keep` is called after each sample. With what it was given last, as `before`, another process goes on with the same
    time and counts; the samples that nobody took between are missing data.
    """
    tallies = [Tally(one.name, one.allowed, one.decides) for one in watched.conditions]
    judgement = Judgement(tallies, unknown=watched.unknown)
    progress = before if before and before.since == watched.since else watched.begin(Asking.now())
    if progress is before:
        _resume(watched, judgement, progress, tell)
    progress.asked_until = watched.asked_until
    keep(progress)
    sample: list[Reading] = []
    async with sharing(connections) as asking:
        askings = [replace(asking, since=watched.since, kept={}) for _ in watched.conditions]
        while not progress.decided:
            now = Asking.now()
            following = watched.sampling.following(progress.begun, now, progress.over)
            await asyncio.sleep((following - now).total_seconds())
            sample = await _sample(watched, askings, judgement, progress)
            left = max((progress.over - progress.at).total_seconds(), 0)
            for reading in sample:
                tell(f"{reading.line()} | sample {progress.samples}, {left:.0f} s left")
            keep(progress)
    verdict, reason = progress.decided
    return Decided(verdict, reason, tuple(sample), progress.samples)


async def _sample(watched: Watched, askings: list[Asking], judgement: Judgement, progress: Progress) -> list[Reading]:
    """Take one sample, and judge it."""
    sample = await take_all(watched.conditions, askings, newer_than=watched.since)
    now = Asking.now()
    decided = judgement.add(list(sample), is_over=now >= progress.over)
    progress.decided = watched.settled(decided, now)
    progress.add(sample, judgement, now)
    return sample


def _resume(watched: Watched, judgement: Judgement, progress: Progress, tell: Tell) -> None:
    """Go on where another process stopped; what it had decided stays decided."""
    if progress.counts:
        judgement.resume(progress.counts)
    now = Asking.now()
    progress.decided = watched.settled(progress.decided, now)
    missed = watched.sampling.missed(progress.begun, progress.at, now)
    tell(f"goes on after {progress.samples} samples; {missed} were missed since {progress.at:%H:%M:%S} UTC")
    if missed and not progress.decided:
        decided = judgement.gap(missed, f"nobody read for {(now - progress.at).total_seconds():.0f} s")
        progress.decided = watched.settled(decided, now)
        progress.at = now
        progress.counts = judgement.counts()
