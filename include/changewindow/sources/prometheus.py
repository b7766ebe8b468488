"""Asks Prometheus a PromQL query, at this moment or over a range, and takes the one number it returns.

The address comes from an Airflow Connection of type HTTP. Without `range` the query is instant. With `range` it is
evaluated every `step` over that time and reduced to one number. The query must return one series: none is `no_data`,
several are `invalid`; sum or filter in PromQL. Source: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import httpx

from changewindow.model import Duration
from changewindow.sources.base import Answer, Asking, SourceBase, SourceError

EXAMPLE = {
    "kind": "prometheus",
    "connection": "example_prometheus",
    "query": 'sum(rate(http_requests_total{status=~"5.."}[1m])) / sum(rate(http_requests_total[1m]))',
}
REDUCE: dict[str, Callable[[list[float]], float]] = {
    "average": lambda values: sum(values) / len(values),
    "highest": max,
    "lowest": min,
    "last": lambda values: values[-1],
}


class Source(SourceBase):
    """A PromQL query."""

    connection: str
    """The Airflow Connection with the address of Prometheus."""
    query: str
    """PromQL that returns one series or a scalar."""
    range: Duration | None = None
    """How far to look back; without it, the value of this moment."""
    step: Duration = timedelta(seconds=15)
    """Distance between the values of a range."""
    reduce: Literal["average", "highest", "lowest", "last"] = "average"
    """How the values of a range become one."""

    def says(self) -> str:
        """Say the query."""
        over = f" ({self.reduce} over {self.range})" if self.range else ""
        return f"{self.query}{over} at {self.connection}"

    async def ask(self, asking: Asking) -> Answer:
        """Send the query."""
        now = asking.now()
        if self.range is None:
            reply = await asking.get(self.connection, "/api/v1/query", {"query": self.query})
        else:
            parameters = {
                "query": self.query,
                "start": f"{(now - self.range).timestamp():.3f}",
                "end": f"{now.timestamp():.3f}",
                "step": f"{self.step.total_seconds():g}",
            }
            reply = await asking.get(self.connection, "/api/v1/query_range", parameters)
        pairs = _pairs(reply)
        value = REDUCE[self.reduce]([float(number) for _, number in pairs])
        return Answer(value, datetime.fromtimestamp(float(pairs[-1][0]), UTC), self.query)


def _pairs(reply: httpx.Response) -> list[tuple[float, str]]:
    """Return the (time, value) pairs of the one series of a reply."""
    try:
        body: dict[str, Any] = reply.json()
    except ValueError as error:
        raise SourceError("unreachable", f"Prometheus answered {reply.status_code} without JSON") from error
    if body.get("status") != "success":
        cause = "unreachable" if reply.status_code >= httpx.codes.INTERNAL_SERVER_ERROR else "invalid"
        raise SourceError(cause, f"Prometheus refused the query: {body.get('error', reply.status_code)}")  # type: ignore[arg-type]
    result = body["data"]["result"]
    if body["data"]["resultType"] == "scalar":
        return [result]
    if body["data"]["resultType"] == "string":
        raise SourceError("invalid", "the query returned text, a number was expected")
    if not result:
        raise SourceError("no_data", "the query returned no series")
    if len(result) > 1:
        raise SourceError("invalid", f"the query returned {len(result)} series, one was expected; sum or filter them")
    return result[0]["values"] if "values" in result[0] else [result[0]["value"]]
