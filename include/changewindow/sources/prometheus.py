"""Asks Prometheus a PromQL query, at this moment or over a range, and takes the one number it returns.

The address comes from an Airflow Connection of type HTTP; extra `header` and `scheme` as for `feature_flag`, where it
wants a token. Without `range` the query is instant. With `range` it is evaluated every `step` over that time and
reduced to one number. The query must return one series: none is `no_data`, several are `invalid`; sum or filter in
PromQL. A range whose last value is older than `scraped_within` is `stale`. An answer that is not complete, as its
warnings or its `isPartial` say, is `invalid`, and so are the raw samples of a selector like `up[5m]`.

Prometheus gives every result the time of asking, and repeats a sample for up to five minutes after scraping has
stopped; a `rate` goes on for its whole range. So name under `scraped` what the query reads: the answer is then as old
as the least recent sample of it, `stale` when that is older than `scraped_within`, and `no_data` when Prometheus knows
that the target is gone. A query that is a mere selector is asked about in the same way without being named.
Source: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

import httpx
from pydantic import Field, field_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.types import ConnectionName, Duration, duration_text
from changewindow.sources.base import SourceBase
from changewindow.systems.alert_labels import Selection
from changewindow.systems.alerts_in_promql import in_promql, recording_rules
from changewindow.systems.measurement import Answer, SourceContext, SourceError
from changewindow.systems.process.apart import apart

EXAMPLE = {
    "kind": "prometheus",
    "connection": "example_prometheus",
    "query": 'sum(rate(http_requests_total{status=~"5.."}[1m])) / sum(rate(http_requests_total[1m]))',
    "scraped": "http_requests_total",
}
PARTIAL = ("isPartial", "partial", "partialResponse")
"""How VictoriaMetrics, and what speaks like it, says that a part of its storage did not answer."""
LIMITED = "M3-Results-Limited"
"""The header in which M3 says that it left series out, or that a part of its storage did not answer."""
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABELS = r"""\{(?:[^{}"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*\}"""
SELECTOR = rf"\s*(?:{NAME}\s*(?:{LABELS})?|{LABELS})\s*"
REDUCE: dict[str, Callable[[list[float]], float]] = {
    "average": lambda values: sum(values) / len(values),
    "highest": max,
    "lowest": min,
    "last": lambda values: values[-1],
}


class Source(SourceBase):
    """A PromQL query."""

    kind: Literal["prometheus"] = "prometheus"
    why_not_before_approval: ClassVar[str] = ""
    connection: ConnectionName
    """The Airflow Connection with the address of Prometheus."""
    query: str
    """PromQL that returns one series or a scalar."""
    range: Duration | None = None
    """How far to look back; without it, the value of this moment."""
    step: Duration = timedelta(seconds=15)
    """Distance between the values of a range."""
    reduce: Literal["average", "highest", "lowest", "last"] = "average"
    """How the values of a range become one."""
    scraped: str = Field(default="", pattern=f"^(?:{SELECTOR})?$")
    """A selector of the series that the query reads, like `http_requests_total{job="orders"}`."""
    scraped_within: Duration = Field(default=timedelta(minutes=2), gt=timedelta(0))
    """How old their newest samples may be; more than twice the interval of scraping."""

    @field_validator("scraped")
    @classmethod
    def _is_of_the_target(cls, scraped: str) -> str:
        if re.match(r"\s*(up|scrape_\w+)\s*(\{|$)", scraped):
            sentence = "Prometheus writes that also when it scrapes in vain"
            raise refusal(sentence, "Name a metric that the target itself exposes.")
        return scraped

    def description(self) -> str:
        """Return the query."""
        over = f" ({self.reduce} over {self.range})" if self.range else ""
        return f"{self.query}{over} at {self.connection}"

    def counts(self) -> tuple[Selection, ...]:
        """Return which alerts the query reads."""
        return in_promql(self.query)

    def unseen(self) -> str:
        """Return the recording rules that the query reads."""
        return ", ".join(recording_rules(self.query))

    async def ask(self, context: SourceContext) -> Answer:
        """Send the query, and ask how old what it reads is."""
        now = context.now()
        if self.range is None:
            pairs = await self._query(context, {"query": self.query})
        else:
            start, end = (f"{moment.timestamp():.3f}" for moment in (now - self.range, now))
            step = f"{self.step.total_seconds():g}"
            pairs = await self._query(context, {"query": self.query, "start": start, "end": end, "step": step})
        values = [float(number) for _, number in pairs]
        if self.reduce != "last" and not all(map(math.isfinite, values)):
            values = [math.nan]  # a number that is none is neither the highest nor the lowest of others
        evaluated = datetime.fromtimestamp(float(pairs[-1][0]), UTC)
        self._check_age(now - evaluated)
        at = await self._scraped_at(context, evaluated)
        return Answer(REDUCE[self.reduce](values), at, self.query, self._gaps(len(values)))

    def _check_age(self, age: timedelta) -> None:
        """Refuse a range that ended long ago, and an answer of long ago, which a cache has kept.

        Raises:
            SourceError: it is too old.
        """
        if self.range is None and age > self.scraped_within:
            fault = (
                f"the query was answered {age.total_seconds():.0f} s ago, {duration_text(self.scraped_within)} allowed"
            )
            raise SourceError("stale", f"{fault}. Does a cache stand between, or a clock wrong?")
        if self.range is not None and age > max(self.step, self.scraped_within):
            fault = f"{age.total_seconds():.0f} s ago, {duration_text(self.scraped_within)} allowed"
            raise SourceError("stale", f"the last value of the range is of {fault}. Is it still scraped?")

    def _gaps(self, count: int) -> str:
        """Return how many values of a range are missing: what is averaged may be a small part of what was asked."""
        expected = int(self.range / self.step) + 1 if self.range else 1
        return f"{count} of {expected} values, the others are missing" if count < expected - 1 else ""

    async def _scraped_at(self, context: SourceContext, evaluated: datetime) -> datetime:
        """Return how old a value of some moment really is: as old as the least recent of the samples it came from.

        Raises:
            SourceError: it is too old, or there are none any more.
        """
        selector = self.scraped or (self.query if re.fullmatch(SELECTOR, self.query) else "")
        if not selector:
            return evaluated
        # Of a mere selector, and of nothing else, timestamp() gives the time of the scrape.
        asked = {"query": f"min(timestamp({selector}))", "time": f"{evaluated.timestamp():.3f}"}
        try:
            pairs = await self._query(context, asked)
        except SourceError as error:
            raise SourceError(error.cause, f"of what is scraped, {selector}: {error}") from error
        at = datetime.fromtimestamp(float(pairs[-1][1]), UTC)
        if evaluated - at > self.scraped_within:
            age = f"is {(evaluated - at).total_seconds():.0f} s old, {duration_text(self.scraped_within)} allowed"
            raise SourceError("stale", f"the newest sample of {selector} {age}. Does Prometheus still scrape it?")
        # Both are by Prometheus' own clock: one that is ahead makes no old sample new.
        return at - max(evaluated - context.now(), timedelta(0))

    async def _query(self, context: SourceContext, parameters: dict[str, str]) -> list[tuple[float, str]]:
        is_range = "step" in parameters
        path = "/api/v1/query_range" if is_range else "/api/v1/query"
        reply = await context.get(self.connection, path, parameters)
        return await apart(_pairs, len(reply.content), reply, is_range=is_range)


def _pairs(reply: httpx.Response, *, is_range: bool) -> list[tuple[float, str]]:
    """Return the (time, value) pairs of the one series of a reply."""
    try:
        body: dict[str, Any] = reply.json()
    except ValueError as error:
        raise SourceError("unreachable", f"Prometheus answered {reply.status_code} without JSON") from error
    if body.get("status") != "success":
        cause = "unreachable" if reply.status_code >= httpx.codes.INTERNAL_SERVER_ERROR else "invalid"
        raise SourceError(cause, f"Prometheus refused the query: {body.get('error', reply.status_code)}")  # type: ignore[arg-type]
    _check_complete(body, reply)
    result, form = body["data"]["result"], body["data"]["resultType"]
    if form == "scalar":
        return [result]
    if form == "string":
        raise SourceError("invalid", "the query returned text, a number was expected")
    if not result:
        raise SourceError("no_data", "the query returned no series")
    if len(result) > 1:
        raise SourceError("invalid", f"the query returned {len(result)} series, one was expected; sum or filter them")
    if form == "matrix" and not is_range:
        fault = "the query returned the raw samples of a time, one number was expected"
        raise SourceError("invalid", f"{fault}; take avg_over_time, max_over_time or rate of it")
    values = result[0].get("values") or [result[0][name] for name in ("value",) if name in result[0]]
    if not values or result[0].get("histograms"):
        fault = (
            "the query returned a histogram, a number was expected; take histogram_quantile or histogram_count of it"
        )
        raise SourceError("invalid", fault)
    return list(values)


def _check_complete(body: dict[str, Any], reply: httpx.Response) -> None:
    """Refuse an answer to which not everything behind the address has contributed.

    Several servers behind one address go on when one of them does not answer, each in its own words.

    Raises:
        SourceError: a part is missing.
    """
    data = body.get("data") or {}
    reasons = [str(warning) for warning in body.get("warnings") or ()]
    reasons += [f"it says `{name}`" for name in PARTIAL if body.get(name) or data.get(name)]
    reasons += [reply.headers[LIMITED]] if reply.headers.get(LIMITED) else []
    if reasons:
        remedy = "Find out which part of its storage does not answer"
        raise SourceError("invalid", f"the answer is not complete: {'; '.join(reasons)}. {remedy}")
