"""Computes what happened between two scrapes of a metrics endpoint."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from prometheus_client.samples import Sample

from changewindow.systems import expressions
from changewindow.systems.measurement import SourceError

Labels = Mapping[str, str]
Scrape = tuple[float, dict[str, float]]
"""When its values were true, in seconds, and the value of each series by its labels, which are written as JSON."""


def matches(labels: Labels, wanted: Labels) -> bool:
    """Return whether labels match regular expressions as a whole; a label that is missing is empty."""
    return all(expressions.matches(expression, labels.get(name, "")) for name, expression in wanted.items())


def values(samples: Iterable[Sample]) -> dict[str, float]:
    """Return the value of each series.

    Raises:
        SourceError: one of them is there twice.
    """
    by_series: dict[str, float] = {}
    for sample in samples:
        series = json.dumps(sample.labels, sort_keys=True)
        if series in by_series:
            raise SourceError(
                "invalid", f"{sample.name}{series} is there twice, with {by_series[series]:g} and {sample.value:g}"
            )
        by_series[series] = float(sample.value)
    return by_series


def moment(samples: Iterable[Sample], scraped: float) -> float:
    """Return when values were true: at the least recent of the times beside them, or when they were scraped.

    Raises:
        SourceError: one of the times is none.
    """
    times = [float(sample.timestamp) for sample in samples if sample.timestamp is not None]
    if not all(time >= 0 for time in times):
        raise SourceError("invalid", "a time beside a sample is no time since 1970")
    # A clock that is ahead must not make old values new.
    return min([*times, scraped])


def usable(earlier: Sequence[Scrape], newest: Scrape, *, since: float, over: float) -> Sequence[Scrape]:
    """Return the scrapes that serve to compare with the newest one, the one to take first; none when there are none.

    What is not newer than `since` is of another time, and what is as old as the newest one is the same collection.
    Those not older than `over` are wanted; without any, the last one before serves.
    """
    older = [scrape for scrape in earlier if since < scrape[0] < newest[0]]
    return [scrape for scrape in older if scrape[0] >= newest[0] - over] or older[-1:]


def growth(older: Scrape, newer: Scrape) -> list[tuple[dict[str, str], float]]:
    """Return the labels of each series with its increase.

    A counter that fell began at zero again, and so did all the others of its process: what is exposed for several of
    them says by `instance` whose it is.
    """
    before = older[1]
    series = [(json.loads(key), value, before.get(key, 0.0)) for key, value in newer[1].items()]
    restarted = {labels.get("instance") for labels, value, earlier in series if value < earlier}
    return [
        (labels, value if labels.get("instance") in restarted else value - earlier) for labels, value, earlier in series
    ]


def share(grown: Sequence[tuple[Labels, float]], where: Labels) -> float | None:
    """Return the part of an increase whose labels match, or None when nothing grew."""
    whole = sum(increase for _, increase in grown)
    return sum(increase for labels, increase in grown if matches(labels, where)) / whole if whole else None


def quantile(grown: Sequence[tuple[Labels, float]], wanted: float) -> tuple[float, bool] | None:
    """Return a quantile as PromQL's histogram_quantile estimates it, or None when nothing grew.

    It comes with whether it is above the last bound, which is returned in its place: it may be anything from there on.

    Raises:
        SourceError: the buckets do not end with that of all observations, or there is no other one to measure by.
    """
    counts: dict[float, float] = {}
    bounds: dict[str, set[float]] = {}
    for labels, increase in grown:
        bound = _bound(labels)
        counts[bound] = counts.get(bound, 0.0) + increase
        others = json.dumps({name: value for name, value in labels.items() if name != "le"}, sort_keys=True)
        bounds.setdefault(others, set()).add(bound)
    if not counts:
        return None
    if math.inf not in counts:
        raise SourceError("invalid", 'the histogram has no bucket with le="+Inf"')
    if len(counts) == 1:
        fault = 'the histogram has no bucket but le="+Inf", so it knows how many values there were, not how large'
        raise SourceError("invalid", f"{fault}. Give it bounds around the limit")
    if any(has != counts.keys() for has in bounds.values()):
        fault = "the series of the histogram have different buckets, and their sums mean nothing"
        raise SourceError("invalid", f"{fault}. Choose those of one kind with `where`")
    if not all(map(math.isfinite, counts.values())):
        return math.nan, False
    rising = _rising(counts)
    return _within(rising, wanted * rising[-1][1]) if rising[-1][1] else None


def _bound(labels: Labels) -> float:
    try:
        bound = float(labels["le"])
    except (KeyError, ValueError):
        bound = math.nan
    if math.isnan(bound):
        raise SourceError("invalid", f"a bucket of the histogram has no bound: {json.dumps(dict(labels))}")
    return bound


def _rising(counts: Mapping[float, float]) -> list[tuple[float, float]]:
    """Return bounds with counts that never fall, as PromQL repairs what was not written at one moment."""
    bounds = sorted(counts)
    return list(zip(bounds, accumulate((counts[bound] for bound in bounds), max), strict=True))


def _within(buckets: Sequence[tuple[float, float]], rank: float) -> tuple[float, bool]:
    """Return where a rank lies: linear within its bucket, and at the last bound for all that is above it."""
    *finite, _ = buckets
    below, count_below = None, 0.0
    for bound, count in finite:
        if count >= rank:
            start = below if below is not None else min(0.0, bound)
            return start + (bound - start) * (rank - count_below) / (count - count_below), False
        below, count_below = bound, count
    return finite[-1][0], True
