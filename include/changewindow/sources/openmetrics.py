"""Scrapes a metrics endpoint itself: a value, or a rate, share or quantile of what happened between two scrapes.

For services without a Prometheus. The endpoint speaks the Prometheus text format; the address comes from an Airflow
Connection of type HTTP. `rate` is the increase per second of a counter, `share` the part of a counter's increase whose
labels match `where`, `quantile` is estimated from a histogram's buckets as PromQL's histogram_quantile does it. Values
lie between the newest scrape and the oldest one not older than `over`; the first reading scrapes twice, a second apart.
A counter that fell was reset, and counts from zero. No traffic between two scrapes is `no_data`, never a good value.
Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import asyncio
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Literal, Self

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from pydantic import Field, model_validator

from changewindow.model import Duration
from changewindow.sources.base import Answer, Asking, SourceBase, SourceError

EXAMPLE = {
    "kind": "openmetrics",
    "connection": "example_service",
    "metric": "http_requests_total",
    "read": "share",
    "where": {"status": "5.."},
}
APART = 1.0
Scrape = tuple[float, dict[str, float]]
"""Time, and the numbers that are compared: by bucket for a quantile, else `part` and `whole`."""


class Source(SourceBase):
    """What is read of a metrics endpoint."""

    connection: str
    """The Airflow Connection with the address of the service."""
    path: str = Field(default="/metrics", pattern="^/")
    metric: str = Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")
    """Name of the metric; for a quantile, of the histogram."""
    read: Literal["value", "rate", "share", "quantile"] = "value"
    where: dict[str, str] = {}
    """Labels with the regular expression their whole value must match."""
    among: dict[str, str] = {}
    """For a share: the labels of the whole; without it, every series of the metric."""
    quantile: float = Field(default=0.99, gt=0, lt=1)
    over: Duration = Field(default=timedelta(seconds=10), gt=timedelta(0))
    """How far back the older scrape may lie."""

    @model_validator(mode="after")
    def _expressions_are_valid(self) -> Self:
        for expression in (*self.where.values(), *self.among.values()):
            try:
                re.compile(expression)
            except re.error as error:
                raise ValueError(f"{expression!r} is not a regular expression: {error}") from error
        return self

    def says(self) -> str:
        """Say the metric and what is read of it."""
        labels = ",".join(f'{name}=~"{expression}"' for name, expression in self.where.items())
        what = f"quantile {self.quantile:g}" if self.read == "quantile" else self.read
        return f"{what} of {self.metric}{{{labels}}} at {self.connection}{self.path}"

    async def ask(self, asking: Asking) -> Answer:
        """Scrape, and compare with an earlier scrape where a difference is asked."""
        newest = await self._scrape(asking)
        at = datetime.fromtimestamp(newest[0], UTC)
        if self.read == "value":
            return Answer(newest[1]["part"], at, self.says())
        earlier: list[Scrape] = asking.kept.get("scrapes", [])
        if not earlier:
            await asyncio.sleep(APART)
            earlier, newest = [newest], await self._scrape(asking)
            at = datetime.fromtimestamp(newest[0], UTC)
        oldest_wanted = newest[0] - self.over.total_seconds()
        scrapes = [scrape for scrape in earlier if scrape[0] >= oldest_wanted] or earlier[-1:]
        asking.kept["scrapes"] = [*scrapes, newest]
        return Answer(self._compare(scrapes[0], newest), at, self.says())

    async def _scrape(self, asking: Asking) -> Scrape:
        at = asking.now().timestamp()
        reply = await asking.get(self.connection, self.path)
        if reply.status_code != httpx.codes.OK:
            raise SourceError("unreachable", f"{reply.url} answered {reply.status_code}")
        try:
            families = list(text_string_to_metric_families(reply.text))
        except ValueError as error:
            raise SourceError("invalid", f"{reply.url} does not speak the metrics format: {error}") from error
        name = f"{self.metric}_bucket" if self.read == "quantile" else self.metric
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        if not samples:
            raise SourceError("no_data", f"{reply.url} has no metric {name}")
        return at, self._numbers(samples)

    def _numbers(self, samples: list[Sample]) -> dict[str, float]:
        matching = [sample for sample in samples if _matches(sample, self.where)]
        if self.read == "quantile":
            buckets: dict[str, float] = {}
            for sample in matching:
                buckets[sample.labels["le"]] = buckets.get(sample.labels["le"], 0.0) + sample.value
            return buckets
        if self.read == "value" and len(matching) != 1:
            cause: Literal["no_data", "invalid"] = "invalid" if matching else "no_data"
            raise SourceError(cause, f"{len(matching)} series of {self.metric} match, one was expected")
        whole = [sample.value for sample in samples if _matches(sample, self.among)]
        return {"part": sum(sample.value for sample in matching), "whole": sum(whole)}

    def _compare(self, older: Scrape, newer: Scrape) -> float:
        grown = {key: _increase(older[1].get(key, 0.0), value) for key, value in newer[1].items()}
        if self.read == "quantile":
            return self._quantile(sorted((float(bound), count) for bound, count in grown.items()))
        if self.read == "rate":
            return grown["part"] / max(newer[0] - older[0], 1e-9)
        if not grown["whole"]:
            raise SourceError("no_data", f"{self.metric} did not grow between two scrapes: no traffic")
        return grown["part"] / grown["whole"]

    def _quantile(self, buckets: list[tuple[float, float]]) -> float:
        total = buckets[-1][1] if buckets else 0.0
        if not total:
            raise SourceError("no_data", f"{self.metric} did not grow between two scrapes: no traffic")
        rank = self.quantile * total
        below, count_below = 0.0, 0.0
        for bound, count in buckets:
            if count >= rank:
                if math.isinf(bound):
                    return below
                return below + (bound - below) * (rank - count_below) / max(count - count_below, 1e-9)
            below, count_below = bound, count
        return below


def _matches(sample: Sample, labels: dict[str, str]) -> bool:
    return all(re.fullmatch(expression, sample.labels.get(name, "")) for name, expression in labels.items())


def _increase(older: float, newer: float) -> float:
    return newer - older if newer >= older else newer
