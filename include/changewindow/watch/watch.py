"""Takes samples until conditions are good, or until a watch is decided."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from changewindow.documents.types import duration_text
from changewindow.systems.measurement import Connections, PastOf, SourceContext
from changewindow.watch.baseline import Seen
from changewindow.watch.condition import Condition
from changewindow.watch.judgement import Decision, Judgement, Route
from changewindow.watch.lateness import LATE, clock, lateness, not_running
from changewindow.watch.progress import Followed, Progress
from changewindow.watch.reading import Reading, take_all
from changewindow.watch.sampling import Sampling
from changewindow.watch.shared_answers import sharing

AGAIN = 3
"""How many samples are taken again at once, because the loop was not running meanwhile."""
Log = Callable[[str], None]
Keep = Callable[[Progress], None]
Sampler = Callable[[Progress], Awaitable[list[Reading]]]
Baselines = Mapping[str, list[float]]
"""The values of each baseline, by the name of its condition."""


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
    """What is to become good, or at least to be judged, and until when."""

    conditions: tuple[Condition, ...]
    every: timedelta
    deadline: datetime
    present: tuple[Condition, ...] = ()
    """Conditions that may be good or bad, if only they can be judged."""
    baselines: Baselines = field(default_factory=dict)
    change: str | None = None
    """The change that asks."""
    settle: timedelta = timedelta(0)
    """How long all must stay good, sample after sample."""

    def lines(self, sample: Sequence[Reading]) -> list[str]:
        """Return a sample for the log; what is only to be judged alarms nobody, whatever it is."""
        count = len(self.conditions)
        return [*(reading.line() for reading in sample[:count]), *(reading.line_before() for reading in sample[count:])]

    def not_good(self, sample: Sequence[Reading]) -> list[str]:
        """Return what is not good in a sample, and what could not be judged."""
        count = len(self.conditions)
        lines = [reading.line() for reading in sample[:count] if reading.verdict != "pass"]
        pairs = zip(self.present, sample[count:], strict=True)
        return lines + [reason for condition, reading in pairs if (reason := self._unjudgeable(condition, reading))]

    def _unjudgeable(self, condition: Condition, reading: Reading) -> str:
        """Return why a condition could not be judged later, or nothing."""
        if condition.needs_baseline and not self.baselines.get(condition.name):
            return f"{condition.name} has no baseline to be compared with"
        return reading.unjudgeable


async def until_good(wanted: Wanted, connections: Connections, *, log: Log, past: PastOf | None = None) -> Decided:
    """Read until all conditions are good in one sample, and have settled; fail when they are not by the deadline.

    Reads once at least.
    """
    conditions = wanted.conditions + wanted.present
    seen = [Seen(before=wanted.baselines.get(condition.name, [])) for condition in conditions]
    async with sharing(connections, wanted.change, past=past) as context:
        contexts = [replace(context, kept={}) for _ in conditions]
        count = 0
        good_since = None
        while True:
            sample = await take_all(conditions, contexts, seen)
            count += 1
            for line in wanted.lines(sample):
                log(line)
            if count <= AGAIN and any(reading.cause == "late" for reading in sample):
                continue  # by now it runs, and there may be no time to wait for another sample
            not_good = wanted.not_good(sample)
            now = SourceContext.now()
            good_since = None if not_good else good_since or now
            if good_since and now - good_since >= wanted.settle:
                return Decided("pass", "all good" if sample else "there is nothing to measure", tuple(sample), count)
            if now + wanted.every > wanted.deadline:
                settling = f"good, but not for {duration_text(wanted.settle)} without a break"
                return Decided("fail", "; ".join(not_good) or settling, tuple(sample), count)
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
    """A person has been asked; with no answer by then, and no verdict, the change is rolled back."""
    baselines: Baselines = field(default_factory=dict)
    change: str | None = None
    """The change that asks."""

    def begin(self, now: datetime) -> Progress:
        """Return the progress of a watch that begins now; one that begins late ends late and lasts its whole length."""
        begun = max(self.since, now)
        followed = [
            Followed(
                name=condition.title,
                unit=condition.unit_of_value,
                limits=condition.limits() if condition.decides else f"{condition.limits()}, only observed",
                seen=Seen(before=self.baselines.get(condition.name, [])),
            )
            for condition in self.conditions
        ]
        over = begun + self.length
        return Progress(since=self.since, begun=begun, over=over, at=begun, conditions=followed)

    def judgement(self) -> Judgement:
        """Return what judges its samples."""
        return Judgement([condition.tally() for condition in self.conditions], unknown=self.unknown)

    async def until_due(self, progress: Progress, after: datetime) -> None:
        """Wait for the next sample that is due after a moment; one that is due by now is taken at once."""
        following = self.sampling.following(progress.begun, after, progress.over)
        await asyncio.sleep(max((following - SourceContext.now()).total_seconds(), 0))

    def settled(self, decided: Decision | None, now: datetime) -> Decision | None:
        """Return a decision that needs nothing more; while a person is asked, the watch goes on without one."""
        if self.asked_until is None or decided is None or decided[0] != "ask":
            return decided
        return ("fail", f"{decided[1]}; nobody answered in time") if now >= self.asked_until else None


async def watch(
    watched: Watched,
    connections: Connections,
    *,
    log: Log,
    keep: Keep,
    resume_from: Progress | None = None,
    past: PastOf | None = None,
) -> Decided:
    """Read for the watch's length, longer while undecided, until the change is proven good or must be rolled back.

    `keep` is called after each sample. Given its last progress as `resume_from`, another process goes on with the same
    time and counts; samples that nobody took in between are missing data.
    """
    judgement, began = watched.judgement(), SourceContext.now()
    progress = resume_from if resume_from and resume_from.since == watched.since else watched.begin(began)
    if progress is resume_from:
        _resume(watched, judgement, progress, log)
    progress.asked_until = watched.asked_until
    keep(progress)
    sample: list[Reading] = []
    after = max(progress.begun, began)
    lateness()  # from here on
    looked = clock()
    async with sharing(connections, watched.change, past=past) as context:
        take = _sampler(watched, context, judgement, log)
        while not progress.decided:
            await watched.until_due(progress, after)
            _make_up(watched, progress, lateness().since(looked), log)
            looked = clock()
            sample = await take(progress)
            after = SourceContext.now()
            keep(progress)
    return Decided(*progress.decided, tuple(sample), progress.samples)


async def first_sample(
    watched: Watched, connections: Connections, *, log: Log, past: PastOf | None = None
) -> tuple[Progress, Decided | None]:
    """Take the first sample when it is due; return the progress for whoever watches on, and what it decides, if any."""
    progress = watched.begin(SourceContext.now())
    async with sharing(connections, watched.change, past=past) as context:
        take = _sampler(watched, context, watched.judgement(), log)
        await watched.until_due(progress, progress.begun)
        sample = await take(progress)
    progress.is_handed_over = True
    decided = progress.decided
    return progress, Decided(*decided, tuple(sample), progress.samples) if decided else None


def _make_up(watched: Watched, progress: Progress, pause: timedelta, log: Log) -> None:
    """Let a watch that was not running last as much longer, up to twice its length."""
    if pause >= LATE:
        progress.over = min(progress.over + pause, max(progress.over, progress.begun + 2 * watched.length))
        log(f"{not_running(pause)}; it lasts until {progress.over:%H:%M:%S} UTC")


def _sampler(watched: Watched, context: SourceContext, judgement: Judgement, log: Log) -> Sampler:
    """Return what takes one sample, judges it and logs it."""
    contexts = [replace(context, since=watched.since, kept={}) for _ in watched.conditions]

    async def take(progress: Progress) -> list[Reading]:
        seen = [followed.seen for followed in progress.conditions]
        sample = await take_all(watched.conditions, contexts, seen, newer_than=watched.since)
        now = SourceContext.now()
        decided = judgement.add(list(sample), is_over=now >= progress.over)
        progress.decided = watched.settled(decided, now)
        progress.add(sample, judgement, now)
        left = max((progress.over - now).total_seconds(), 0)
        for reading in sample:
            log(f"{reading.line()} | sample {progress.samples}, {left:.0f} s left")
        return sample

    return take


def _resume(watched: Watched, judgement: Judgement, progress: Progress, log: Log) -> None:
    """Go on where another process stopped; what it had decided stays decided."""
    if progress.counts:
        judgement.resume(progress.counts)
    now = SourceContext.now()
    progress.decided = watched.settled(progress.decided, now)
    if progress.is_handed_over:  # nobody was late: it begins here, with what was read on the way
        log(f"the watch goes on from the first sample, taken {progress.at:%H:%M:%S} UTC")
        progress.begun, progress.over, progress.is_handed_over = now, now + watched.length, False
        return
    missed = watched.sampling.missed(progress.begun, progress.at, now)
    log(f"watch resumed after {progress.samples} samples; {missed} were missed since {progress.at:%H:%M:%S} UTC")
    if missed and not progress.decided:
        decided = judgement.gap(missed, f"no sample was taken for {(now - progress.at).total_seconds():.0f} s")
        progress.decided = watched.settled(decided, now)
        progress.at = now
        progress.counts = judgement.counts()
