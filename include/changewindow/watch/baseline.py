"""Compares what is measured with a baseline: readings from before the change, or those of a control group."""

import math
from collections.abc import Sequence
from datetime import timedelta
from statistics import median
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from changewindow.documents.types import Duration, Model, duration_text
from changewindow.kinds import AnyKind
from changewindow.sources.base import SourceBase
from changewindow.systems.measurement import SourceError, Value

AnySource = Annotated[SourceBase, AnyKind("sources", "Source")]

KEPT = 300
"""How many of the last values since the change are compared by rank."""
FEW = 10_000
"""Where values tie, all ways to divide them into the two groups are tried, up to this many."""


class Seen(BaseModel):
    """The values that a comparison has to know, oldest first."""

    before: list[float] = []
    """Those from before the change; empty where a control group is asked."""
    values: list[float] = []
    """Those since the change."""
    control: list[float] = []
    """Those of the control group, each from the same moment as one of `values`."""


class Compare(Model):
    """Puts a number in place of the value, for `pass` and `fail` to judge: how far it is from the baseline.

    `difference` is the value less the baseline, `ratio` the value divided by it; the baseline is the median of the
    readings from before the change, or what the control group reads at the same moment. `rank` is the rank-biserial
    correlation, from -1 (all values are lower than all of the baseline) to 1 (all are higher). It is 0 as long as the
    Mann-Whitney U test, two-sided, finds no significant difference, and inconclusive until there are enough values to
    find one. Every sample is one more test; a low `significance` and `failures` above 1 keep false alarms rare.

    Sources: Mann, Whitney 1947, https://doi.org/10.1214/aoms/1177730491; Kerby 2014,
    https://doi.org/10.2466/11.IT.3.1; https://docs.scipy.org/doc/scipy/reference/generated/scipy.stats.mannwhitneyu.html
    """

    by: Literal["difference", "ratio", "rank"]
    """The number that is judged: difference, ratio or rank."""
    control: AnySource | None = None
    """The same question about a group without the change; without it, the baseline is read before the change."""
    samples: int = Field(default=10, ge=1, le=KEPT)
    """How many readings are taken before the change, when the preflight is good."""
    every: Duration = Field(default=timedelta(seconds=2), gt=timedelta(0))
    """Time from one of them to the next."""
    significance: float = Field(default=0.01, gt=0, lt=1)
    """For `rank`: how likely a false alarm may be at each sample."""

    @property
    def needed(self) -> int:
        """Return how many readings since the change are needed until there is a number."""
        if self.by != "rank":
            return 1
        count = 1
        while count <= KEPT and not self._may_differ(count, count if self.control else self.samples):
            count += 1
        return count

    def description(self) -> str:
        """Return what is judged as text: `its ratio to the median of 10 readings of before`."""
        readings = f"{self.samples} readings of before, {duration_text(self.every)} apart"
        if self.by == "rank":
            beside = f"[{self.control.description()}]" if self.control else readings
            return f"its rank among {beside}, when significant at {self.significance:g}"
        beside = f"[{self.control.description()}]" if self.control else f"the median of {readings}"
        return f"its {self.by} {'to' if self.by == 'ratio' else 'from'} {beside}"

    def see(self, seen: Seen, values: Sequence[Value]) -> None:
        """Take in what was measured: the value, and that of the control group if there is one.

        Raises:
            SourceError: one of them is not a number.
        """
        here, *beside = map(number, values)
        seen.values[:] = [*seen.values, here][-KEPT:]
        seen.control[:] = [*seen.control, *beside][-KEPT:]

    def result(self, seen: Seen) -> tuple[float | None, str]:
        """Return the number to be judged, or None while there are too few values, and where it comes from.

        Raises:
            SourceError: there is no baseline, or no ratio to it.
        """
        if self.by == "rank":
            return self._rank(seen.values, seen.control if self.control else seen.before)
        baseline = seen.control[-1] if self.control else middle(seen.before)
        detail = f"{seen.values[-1]:.6g} against {baseline:.6g}"
        if self.by == "difference":
            return seen.values[-1] - baseline, detail
        if baseline <= 0:  # of a number below 0, whatever grows beyond 0 has a ratio that falls, and would look good
            none = f"there is no ratio to {'a number below 0' if baseline else '0'}; compare by difference"
            raise SourceError("invalid", f"{detail}: {none}")
        return seen.values[-1] / baseline, detail

    def _rank(self, values: Sequence[float], baseline: Sequence[float]) -> tuple[float | None, str]:
        if not baseline:
            raise SourceError("no_data", "no baseline is known")
        sizes = f"{len(values)} against {len(baseline)} readings"
        if not self._may_differ(len(values), len(baseline)):
            return None, f"{sizes} are too few to differ significantly"
        effect, chance = mann_whitney(values, baseline)
        detail = f"{sizes}, p = {chance:.2g}, effect {effect:+.2f}"
        return (effect if chance < self.significance else 0.0), detail

    def _may_differ(self, values: int, baseline: int) -> bool:
        """Return whether the test could find a difference at all, even with all of one group above all of the other."""
        return 2 / math.comb(values + baseline, values) < self.significance


def number(value: Value) -> float:
    """Return a value as a number.

    Raises:
        SourceError: it is not a number.
    """
    if isinstance(value, bool | str) or not math.isfinite(value):
        raise SourceError("invalid", f"{value!r} is not a number, so it cannot be compared")
    return float(value)


def middle(baseline: Sequence[float]) -> float:
    """Return the median of a baseline.

    Raises:
        SourceError: there are none.
    """
    if not baseline:
        raise SourceError("no_data", "no baseline is known")
    return median(baseline)


def mann_whitney(values: Sequence[float], baseline: Sequence[float]) -> tuple[float, float]:
    """Return the rank-biserial correlation of two groups, and how likely chance alone makes them differ so much."""
    # Imported when first needed: it takes its time, and most changes compare nothing.
    from scipy import stats  # type: ignore[import-untyped]  # noqa: PLC0415

    pairs = len(values) * len(baseline)
    ties = len({*values, *baseline}) < len(values) + len(baseline)
    few = math.comb(len(values) + len(baseline), len(values)) <= FEW
    method = stats.PermutationMethod(n_resamples=FEW) if ties and few else "auto"
    result = stats.mannwhitneyu(values, baseline, alternative="two-sided", method=method)
    effect = 2 * float(result.statistic) / pairs - 1
    return effect, float(result.pvalue) if effect else 1.0
