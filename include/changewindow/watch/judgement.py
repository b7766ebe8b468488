"""Decides when a watch is over, from what the readings of its conditions mean."""

from dataclasses import dataclass, field
from typing import Any, Literal

from changewindow.systems.measurement import Cause
from changewindow.watch.verdict import Sampled, Verdict

Route = Literal["pass", "fail", "ask"]
Decision = tuple[Route, str]
"""Where to go, and why."""
GOOD_FOR_UNKNOWN = 3
"""How many good readings make up for one unknown, once more are unknown than are allowed in a row."""

ALMOST_ONE = 1 - 1e-9
"""Ten weights of 0.1 add up to a little less than 1."""

LATE: Cause = "late"
"""The answer that says nothing about a service: the watch itself was not running."""

APART = ";\n"
"""Between two reasons: each has a line of its own, where there are lines."""
COUNTS = ("lately", "unknown", "streak", "passed", "missed")
"""What a tally stores."""


@dataclass(frozen=True)
class Allowed:
    """How often one condition may lack a good answer; in a row means without a good reading in between."""

    failures: int
    """How many bad readings roll the change back ..."""
    inconclusive: int
    causes: dict[str, int]
    unknown: int
    """How many answers in a row may be missing or undecided, whatever their causes."""
    of: int = 0
    """... among this many of the last that were good or bad; 0 for in a row."""
    passes: int = 1
    """How many good readings in a row prove the condition good."""


@dataclass
class Tally:
    """Counts the answers of one condition.

    Only a good reading resets them: an unknown answer interrupts neither bad readings nor other unknown ones.
    """

    condition: str
    allowed: Allowed
    weight: float = 1.0
    """How much it weighs: reasons that add up to 1 decide. With 0 it is counted but decides nothing."""
    lately: list[bool] = field(default_factory=list)
    """Whether each of the last readings that were good or bad was bad."""
    unknown: dict[str, int] = field(default_factory=dict)
    """The unknown answers since the last good reading, by cause."""
    streak: int = 0
    """The good readings in a row until now."""
    passed: int = 0
    missed: int = 0

    def add(self, verdict: Verdict, cause: Cause | None, detail: str) -> str | None:
        """Count one answer; return the reason why the change cannot go on, or None."""
        if verdict == "pass":
            self._remember(is_bad=False)
            self.unknown = {}
            self.streak += 1
            self.passed += 1
            return None
        self.streak = 0
        if verdict == "fail":
            self._remember(is_bad=True)
            return self._bad_reason(detail)
        answer = cause or verdict
        self.unknown[answer] = self.unknown.get(answer, 0) + 1
        self.missed += answer != LATE  # the watch lasts longer instead
        return self._unknown_reason(answer, detail)

    def counts(self) -> dict[str, Any]:
        """Return the counts as JSON."""
        return {name: getattr(self, name) for name in COUNTS}

    def resume(self, counts: dict[str, Any]) -> None:
        """Go on from stored counts."""
        for name in COUNTS:
            setattr(self, name, counts[name])

    def unproven(self) -> str | None:
        """Return why the condition is not yet proven good, or None."""
        if self.missed > self.allowed.unknown and self.missed * GOOD_FOR_UNKNOWN > self.passed:
            return f"unknown {self.missed} times, good {self.passed}; {GOOD_FOR_UNKNOWN} good for each unknown needed"
        if self.streak < self.allowed.passes:
            return f"{self.streak} good in a row, {self.allowed.passes} needed"
        return None

    def gap(self, samples: int, detail: str) -> str | None:
        """Count samples that nobody took: as one missing answer in the row, and all of them against the good ones."""
        self.missed += samples - 1
        return self.add("error", "no_data", detail)

    def _remember(self, *, is_bad: bool) -> None:
        self.lately = [*self.lately, is_bad][-(self.allowed.of or self.allowed.failures) :]

    def _bad_reason(self, detail: str) -> str | None:
        bad = sum(self.lately)
        if bad < self.allowed.failures:
            return None
        row = f"of the last {len(self.lately)}" if self.allowed.of else "in a row"
        return f"{self.condition} is bad: {detail} ({bad} {row}, {self.allowed.failures - 1} allowed)"

    def _unknown_reason(self, answer: str, detail: str) -> str | None:
        count, together = self.unknown[answer], sum(self.unknown.values())
        limit = self.allowed.inconclusive if answer == "inconclusive" else self.allowed.causes.get(answer, 0)
        start = f"{self.condition} is not known: {answer}, {detail}"
        if count > limit:
            row = "in a row" if count == together else "without a good reading between"
            return f"{start} ({count} {row}, {limit} allowed)"
        of_the_source = together - self.unknown.get(LATE, 0)
        if answer != LATE and of_the_source > self.allowed.unknown:
            return f"{start} ({of_the_source} unknown in a row, {self.allowed.unknown} allowed)"
        return None


@dataclass
class Judgement:
    """Follows a watch sample by sample until the change is proven good or must be rolled back."""

    tallies: list[Tally]
    overtime: int = 0
    """Samples taken after the watch's length because not everything was good at once."""
    unknown: Route = "fail"
    """Where to go when nothing is known to be bad but too little is known to be good; never `pass`."""

    def add(self, sample: list[Sampled], *, is_over: bool) -> Decision | None:
        """Count one sample, in the order of the tallies; return where to go, and why, once that is known.

        `is_over` says that the watch's length has passed. A pass needs every condition that decides good in this one
        sample, and often enough in a row. Unknown is never good: samples that are not all good at the end are repeated
        only as often as the conditions allow failures and missing answers; then the change is not kept.
        """
        if not any(tally.weight for tally in self.tallies):
            return "fail", "no condition decides: nothing is proven"
        pairs = list(zip(self.tallies, sample, strict=False))
        read = sum(tally.condition == reading.condition for tally, reading in pairs)
        if not read == len(sample) == len(self.tallies):
            return "fail", f"{read} of {len(self.tallies)} conditions were read: nothing is proven"
        reasons = [(tally.add(reading.verdict, reading.cause, reading.account), tally) for tally, reading in pairs]
        against = _enough(reasons)
        if against:
            return self._against(pairs), APART.join(against)
        return self._at_the_end([pair for pair in pairs if pair[0].weight]) if is_over else None

    def gap(self, samples: int, detail: str) -> Decision | None:
        """Count samples that should have been taken and were not, as missing data of every condition."""
        reasons = [(tally.gap(samples, detail), tally) for tally in self.tallies]
        against = _enough(reasons)
        return (self.unknown, APART.join(against)) if against else None

    def counts(self) -> dict[str, Any]:
        """Return all counts as JSON, from which `resume` goes on."""
        return {"overtime": self.overtime, "tallies": {tally.condition: tally.counts() for tally in self.tallies}}

    def resume(self, counts: dict[str, Any]) -> None:
        """Go on from the counts of a watch of the same conditions.

        Raises:
            LookupError: they are of other conditions.
        """
        self.overtime = counts["overtime"]
        for tally in self.tallies:
            tally.resume(counts["tallies"][tally.condition])

    def _at_the_end(self, pairs: list[tuple[Tally, Sampled]]) -> Decision | None:
        """Return the verdict on a sample that breaks no limit, after the watch's length."""
        reasons = [(_undecided(tally, reading) if tally.unproven() else None, tally) for tally, reading in pairs]
        undecided = [reason for reason, _ in reasons if reason]
        if not undecided:
            good = f"all {len(pairs)} conditions are" if len(pairs) > 1 else "the only condition is"
            return "pass", f"{good} good in the last sample"
        if not _enough(reasons):
            return "pass", f"good in the last sample, but for what weighs too little: {'; '.join(undecided)}"
        self.overtime += not any(reading.cause == LATE for _, reading in pairs)
        limits = [tally.allowed for tally, _ in pairs]
        patience = max(max(limit.failures, limit.unknown) + limit.passes - 1 for limit in limits)
        if self.overtime <= patience:
            return None
        return self._against(pairs), f"not all good at once by the end: {APART.join(undecided)}"

    def _against(self, pairs: list[tuple[Tally, Sampled]]) -> Route:
        """Return where a sample that speaks against the change leads: `fail`, if something in it is known to be bad."""
        is_bad = any(reading.verdict == "fail" for tally, reading in pairs if tally.weight)
        return "fail" if is_bad else self.unknown


def _enough(reasons: list[tuple[str | None, Tally]]) -> list[str]:
    """Return the reasons of conditions that decide, if together they weigh enough; else none."""
    against = [(reason, tally.weight) for reason, tally in reasons if reason and tally.weight]
    return (
        [" ".join(reason.split()) for reason, _ in against] if sum(weight for _, weight in against) > ALMOST_ONE else []
    )


def _undecided(tally: Tally, reading: Sampled) -> str:
    """Return why a condition is not proven good: its reading, and the count if this reading is good."""
    return f"{reading.line()} ({tally.unproven()})" if reading.verdict == "pass" else reading.line()
