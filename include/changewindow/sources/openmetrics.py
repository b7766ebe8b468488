"""Scrapes a metrics endpoint itself: a value, or a rate, share or quantile of what happened between two scrapes.

For services without a Prometheus. The endpoint speaks the Prometheus text format or OpenMetrics; the address comes from
an Airflow Connection of type HTTP, extra `header` and `scheme` as for `feature_flag`. `rate` is the increase per second
of a counter, `share` the part of a counter's increase whose labels match `where`, `quantile` is estimated from a
histogram's buckets as PromQL's histogram_quantile does it; above their last bound it may be anything, and a limit there
is `invalid`. Values lie between the newest scrape and the oldest one not older than `over`; the first reading scrapes
twice, a second apart. No traffic between two scrapes is `no_data`, never a good value.

A counter that fell was reset, and with it all that are asked for of the same `instance`: they count from zero. A series
that is not there yet, like that of the first error, is 0; a label that no series of the metric has is `invalid`. Where
times stand beside the samples, as where metrics are collected from others, the value is of the least recent of them,
and `stale` when that is older than `scraped_within`. At most 100,000 lines are read, and 10,000 series asked for.
Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import ClassVar, Literal, Self

import httpx
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from pydantic import Field, model_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.text import hint
from changewindow.documents.types import ConnectionName, Duration, Expression, duration_text
from changewindow.sources.base import SourceBase
from changewindow.systems import expressions, openmetrics
from changewindow.systems.alert_labels import Selection
from changewindow.systems.alerts_in_promql import in_promql, recording_rules
from changewindow.systems.http import cache
from changewindow.systems.measurement import Answer, SourceContext, SourceError, may_be_cut
from changewindow.systems.openmetrics import Scrape
from changewindow.systems.process.apart import apart

EXAMPLE = {
    "kind": "openmetrics",
    "connection": "example_service",
    "metric": "http_requests_total",
    "read": "share",
    "where": {"status": "5.."},
}
APART = 1.0
ABOVE = "it is above the last bound of its buckets; give the histogram bounds above the limit"
LONGEST = 100_000
"""How many lines of an endpoint are read: they take some seconds."""
MOST = 10_000
"""How many series may be asked for: they are kept from one reading to the next."""
FALLING = {"gauge", "gaugehistogram", "info", "stateset"}
"""The types of metrics that are no counters: one that falls would look like one that was reset."""


class Source(SourceBase):
    """What is read of a metrics endpoint."""

    kind: Literal["openmetrics"] = "openmetrics"
    is_about_the_asker: ClassVar[bool] = True
    why_not_before_approval: ClassVar[str] = ""

    connection: ConnectionName
    """The Airflow Connection with the address of the service."""
    path: str = Field(default="/metrics", pattern="^/")
    metric: str = Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")
    """Name of the metric; for a quantile, of the histogram."""
    read: Literal["value", "rate", "share", "quantile"] = "value"
    where: dict[str, Expression] = {}
    """Labels with the regular expression their whole value must match."""
    among: dict[str, Expression] = {}
    """For a share: the labels of the whole, of which `where` is a part; without it, every series of the metric."""
    quantile: float = Field(default=0.99, gt=0, lt=1)
    over: Duration = Field(default=timedelta(seconds=10), gt=timedelta(0))
    """How far back the older scrape may lie."""
    scraped_within: Duration = Field(default=timedelta(minutes=2), gt=timedelta(0))
    """How old the times beside the samples may be; more than twice the interval at which they are collected."""

    @model_validator(mode="after")
    def _among_is_of_a_share(self) -> Self:
        if self.among and self.read != "share":
            raise refusal(f"`among` has no meaning with `read: {self.read}`", "Write `read: share`, or remove it.")
        return self

    def description(self) -> str:
        """Return the metric and what is read of it."""
        labels = ",".join(f'{name}=~"{expression}"' for name, expression in self.where.items())
        what = f"quantile {self.quantile:g}" if self.read == "quantile" else self.read
        return f"{what} of {self.metric}{{{labels}}} at {self.connection}{self.path}"

    def counts(self) -> tuple[Selection, ...]:
        """Return the alerts that Alertmanager's own metrics, or the federated ones of Prometheus, tell of."""
        return in_promql(self.metric)

    def unseen(self) -> str:
        """Return the recording rule that it reads of a federation."""
        return ", ".join(recording_rules(self.metric))

    async def ask(self, context: SourceContext) -> Answer:
        """Scrape, and compare with an earlier scrape where a difference is asked."""
        newest = await self._scrape(context)
        if self.read == "value":
            return Answer(self._only(newest), _time(newest), self.description())
        earlier: list[Scrape] = context.kept.get("scrapes", [])
        if not earlier:
            await asyncio.sleep(APART)
            earlier, newest = [newest], await self._scrape(context)
        since = context.since.timestamp() if context.since else 0.0
        older = openmetrics.usable(earlier, newest, since=since, over=self.over.total_seconds())
        context.kept["scrapes"] = [*older, newest]
        if not older:
            fault = f"{self.metric} has no values but those of {_time(newest):%H:%M:%S} UTC"
            raise SourceError("no_data", f"{fault}, and a {self.read} lies between two times")
        value, is_at_least = self._compare(older[0], newest)
        return Answer(value, _time(newest), self.description(), ABOVE if is_at_least else "", is_at_least=is_at_least)

    async def _scrape(self, context: SourceContext) -> Scrape:
        """Return the values of the series that are asked for: the whole of a share, else what matches `where`."""
        asked_at = context.now()
        reply = await context.get(self.connection, self.path)
        scraped = cache.made(reply, asked_at).timestamp()
        if may_be_cut(reply) and not reply.content.endswith(b"\n") and not _is_newer(reply):
            raise SourceError("invalid", f"the last line of {reply.url} has no end: the connection may have broken off")
        lines = reply.content.count(b"\n")
        if lines > LONGEST:
            fault = f"{reply.url} answered {lines:,} lines, {LONGEST:,} are read at most"
            raise SourceError("invalid", f"{fault}. Ask Prometheus instead, or for a part of them by `path`")
        return await apart(self._asked, len(reply.content), reply, scraped)

    def _asked(self, reply: httpx.Response, scraped: float) -> Scrape:
        """Return the values that a reply has of the series that are asked for, and when they were true."""
        samples = self._samples(reply)
        self._check_labels(samples)
        labels = self.among if self.read == "share" else self.where
        asked = [sample for sample in samples if openmetrics.matches(sample.labels, labels)]
        at = openmetrics.moment(asked or samples, scraped)
        if scraped - at > self.scraped_within.total_seconds():
            age = f"is {scraped - at:.0f} s old, {duration_text(self.scraped_within)} allowed"
            raise SourceError("stale", f"the least recent sample of {self.metric} {age}. Is it still collected?")
        if len(asked) > MOST:
            fault = f"{len(asked):,} series of {self.metric} are asked for, {MOST:,} at most"
            raise SourceError("invalid", f"{fault}. Choose fewer by `{'among' if self.read == 'share' else 'where'}`")
        return at, openmetrics.values(asked)

    def _samples(self, reply: httpx.Response) -> list[Sample]:
        if reply.status_code != httpx.codes.OK:
            raise SourceError("unreachable", f"{reply.url} answered {reply.status_code}")
        name = f"{self.metric}_bucket" if self.read == "quantile" else self.metric
        try:
            samples = list(_named(name, reply, is_compared=self.read != "value"))
        except ValueError as error:
            raise SourceError("invalid", f"{reply.url} does not speak the metrics format: {error}") from error
        if not samples:
            raise SourceError("no_data", f"{reply.url} has no metric {name}")
        return samples

    def _check_labels(self, samples: list[Sample]) -> None:
        """Refuse a label that no series has, unless the expression says that it may be missing."""
        known = {label for sample in samples for label in sample.labels}
        for name, expression in chain(self.where.items(), self.among.items()):
            if name not in known and not expressions.matches(expression, ""):
                instead = hint(name, known) if known else "They have none."
                raise SourceError("invalid", f"no series of {self.metric} has the label '{name}'. {instead}")

    def _only(self, scrape: Scrape) -> float:
        values = list(scrape[1].values())
        if len(values) != 1:
            cause: Literal["no_data", "invalid"] = "invalid" if values else "no_data"
            raise SourceError(cause, f"{len(values)} series of {self.metric} match, one was expected")
        return values[0]

    def _compare(self, older: Scrape, newer: Scrape) -> tuple[float, bool]:
        """Return what happened between two scrapes, and whether it may be more than that."""
        grown = openmetrics.growth(older, newer)
        if self.read == "rate":
            return sum(increase for _, increase in grown) / (newer[0] - older[0]), False
        if self.read == "quantile":
            result = openmetrics.quantile(grown, self.quantile)
        else:
            part = openmetrics.share(grown, self.where)
            result = None if part is None else (part, False)
        if result is None:
            raise SourceError("no_data", f"{self.metric} did not grow between two scrapes: no traffic")
        return result


def _is_newer(reply: httpx.Response) -> bool:
    """Return whether a reply is in the format whose end is marked."""
    return str(reply.headers.get("Content-Type", "")).startswith("application/openmetrics-text")


def _named(name: str, reply: httpx.Response, *, is_compared: bool) -> Iterator[Sample]:
    """Yield the samples of a name, in the format of which the reply says that it is.

    Raises:
        ValueError: it is not in that format.
        SourceError: it is to be compared with an earlier one, and is of a type for which that means nothing.
    """
    is_newer = _is_newer(reply)
    parse = openmetrics_families if is_newer else text_string_to_metric_families
    for family in parse(reply.text):
        samples = [sample for sample in family.samples if sample.name == name]
        if samples and is_compared and (family.type in FALLING or (family.type == "summary" and family.name == name)):
            raise SourceError("invalid", f"{name} is a {family.type}, which falls too; it has a value, but no increase")
        # In the older format a counter need not end with _total; its parser adds that.
        is_counter = not is_newer and family.type == "counter" and family.name == name
        names = {name, f"{name}_total"} if is_counter else {name}
        yield from (sample for sample in family.samples if sample.name in names)


def _time(scrape: Scrape) -> datetime:
    return datetime.fromtimestamp(scrape[0], UTC)
