"""Takes samples until conditions are good, or until a watch is decided."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from changewindow.documents.types import duration_text
from changewindow.systems.measurement import Connections, PastOf, SourceContext
from changewindow.watch.baseline import Seen
from changewindow.watch.condition import Condition
from changewindow.watch.judgement import Decision, Judgement, Route
from changewindow.watch.progress import Followed, Progress
from changewindow.watch.reading import Reading, take_all
from changewindow.watch.sampling import Sampling
from changewindow.watch.shared_answers import sharing

Tell = Callable[[str], None]
Keep = Callable[[Progress], None]
Before = Mapping[str, list[float]]


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


@dataclass(frozen=True)
class Wanted:
    """What is to become good, or at least to be there, and until when."""

    conditions: tuple[Condition, ...]
    every: timedelta
    deadline: datetime
    present: tuple[Condition, ...] = ()
    """Conditions that may be good or bad, if only their sources answer."""
    before: Before = field(default_factory=dict)
    """The readings of before the change, by the names of the conditions that are compared with them."""
    change: str | None = None
    """The change that asks."""
    settle: timedelta = timedelta(0)
    """So long all must stay good, sample after sample."""

    def lacks(self, sample: Sequence[Reading]) -> list[str]:
        """Return what is not good in a sample, and which sources are not there."""
        count = len(self.conditions)
        lines = [reading.line() for reading in sample[:count] if reading.verdict != "pass"]
        return lines + [f"its source does not answer: {one.line()}" for one in sample[count:] if not one.is_answered]


async def until_good(wanted: Wanted, connections: Connections, *, tell: Tell, past: PastOf | None = None) -> Decided:
    """Read until all conditions are good in one sample, and have settled; fail when they are not by the deadline.

    Reads once at least.
    """
    conditions = wanted.conditions + wanted.present
    seen = [Seen(before=wanted.before.get(one.name, [])) for one in conditions]
    async with sharing(connections, wanted.change, past=past) as context:
        contexts = [replace(context, kept={}) for _ in conditions]
        count = 0
        good_since = None
        while True:
            sample = await take_all(conditions, contexts, seen)
            count += 1
            for reading in sample:
                tell(reading.line())
            lacks = wanted.lacks(sample)
            now = SourceContext.now()
            good_since = None if lacks else good_since or now
            if good_since and now - good_since >= wanted.settle:
                return Decided("pass", "all good", tuple(sample), count)
            if now + wanted.every > wanted.deadline:
                settling = f"good, but not for {duration_text(wanted.settle)} without a break"
                return Decided("fail", "; ".join(lacks) or settling, tuple(sample), count)
            unsettled = good_since + wanted.settle - now if good_since else wanted.every
            await asyncio.sleep(min(unsettled, wanted.every).total_seconds())


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
    before: Before = field(default_factory=dict)
    """The readings of before the change, by the names of the conditions that are compared with them."""
    change: str | None = None
    """The change that asks."""

    def begin(self, now: datetime) -> Progress:
        """Return the progress of a watch that begins now: late is later, so that the whole length is watched."""
        begun = max(self.since, now)
        followed = [
            Followed(name=one.name, limits=one.limits(), seen=Seen(before=self.before.get(one.name, [])))
            for one in self.conditions
        ]
        over = begun + self.length
        return Progress(since=self.since, begun=begun, over=over, at=begun, conditions=followed)

    def settled(self, decided: Decision | None, now: datetime) -> Decision | None:
        """Return a decision that needs nothing more; while a person is asked, the watch goes on without one."""
        if self.asked_until is None or decided is None or decided[0] != "ask":
            return decided
        return ("fail", f"{decided[1]}; nobody answered in time") if now >= self.asked_until else None


async def watch(
    watched: Watched,
    connections: Connections,
    *,
    tell: Tell,
    keep: Keep,
    before: Progress | None = None,
    past: PastOf | None = None,
) -> Decided:
    """Read for the watch's length, longer while undecided, until the change is proven good or must be taken back.

    `keep` is called after each sample. With what it was given last, as `before`, another process goes on with the same
    time and counts; the samples that nobody took between are missing data.
    """
    judgement = Judgement([one.tally() for one in watched.conditions], unknown=watched.unknown)
    progress = before if before and before.since == watched.since else watched.begin(SourceContext.now())
    if progress is before:
        _resume(watched, judgement, progress, tell)
    progress.asked_until = watched.asked_until
    keep(progress)
    sample: list[Reading] = []
    async with sharing(connections, watched.change, past=past) as context:
        contexts = [replace(context, since=watched.since, kept={}) for _ in watched.conditions]
        while not progress.decided:
            now = SourceContext.now()
            following = watched.sampling.following(progress.begun, now, progress.over)
            await asyncio.sleep((following - now).total_seconds())
            sample = await _sample(watched, contexts, judgement, progress)
            left = max((progress.over - progress.at).total_seconds(), 0)
            for reading in sample:
                tell(f"{reading.line()} | sample {progress.samples}, {left:.0f} s left")
            keep(progress)
    verdict, reason = progress.decided
    return Decided(verdict, reason, tuple(sample), progress.samples)


async def _sample(
    watched: Watched, contexts: list[SourceContext], judgement: Judgement, progress: Progress
) -> list[Reading]:
    """Take one sample, and judge it."""
    seen = [followed.seen for followed in progress.conditions]
    sample = await take_all(watched.conditions, contexts, seen, newer_than=watched.since)
    now = SourceContext.now()
    decided = judgement.add(list(sample), is_over=now >= progress.over)
    progress.decided = watched.settled(decided, now)
    progress.add(sample, judgement, now)
    return sample


def _resume(watched: Watched, judgement: Judgement, progress: Progress, tell: Tell) -> None:
    """Go on where another process stopped; what it had decided stays decided."""
    if progress.counts:
        judgement.resume(progress.counts)
    now = SourceContext.now()
    progress.decided = watched.settled(progress.decided, now)
    missed = watched.sampling.missed(progress.begun, progress.at, now)
    tell(f"goes on after {progress.samples} samples; {missed} were missed since {progress.at:%H:%M:%S} UTC")
    if missed and not progress.decided:
        decided = judgement.gap(missed, f"nobody read for {(now - progress.at).total_seconds():.0f} s")
        progress.decided = watched.settled(decided, now)
        progress.at = now
        progress.counts = judgement.counts()
