"""Sends a GET request and reads its status, its latency in seconds, or a value of its JSON reply by path.

The address comes from an Airflow Connection of type HTTP; extra `header` and `scheme` as for `feature_flag`. `json:
database.pool.open` walks the reply by keys and list positions. Redirects are not followed: their status is the answer.

The latency of an error page proves nothing, since errors are quick: from status 400 on there is none. A value of a JSON
reply is read whatever the status, since unhealthy services often say so in a reply with status 503; the reading then
names the status. Add a condition on the status where the service must answer well. A reply that a cache gives in the
place of the service is as old as its `Age` says: `stale` after two minutes, and without a latency.
"""

import re
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qsl, unquote

import httpx
from pydantic import Field, model_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.types import ConnectionName
from changewindow.sources.base import SourceBase
from changewindow.systems.alert_labels import Selection
from changewindow.systems.alerts_in_promql import in_promql, recording_rules
from changewindow.systems.http import cache, json_path
from changewindow.systems.measurement import Answer, Cause, SourceContext, SourceError
from changewindow.systems.process.apart import apart

ALERTS = re.compile(r"/api/(v[12]/)?(alerts|rules)\b")
"""Where Alertmanager, Prometheus and Grafana list alerts."""
SLASHES = re.compile(r"/(\.?/)+")
QUERIES = {"query", "match[]", "expr"}
"""Parameters in which Prometheus takes queries."""
EXAMPLE = {"kind": "http", "connection": "example_service", "path": "/health", "read": "status"}


class Source(SourceBase):
    """A request whose reply is read."""

    kind: Literal["http"] = "http"
    why_not_before_approval: ClassVar[str] = ""
    connection: ConnectionName
    """The Airflow Connection with the address of the service."""
    path: str = Field(default="/", pattern="^/")
    read: Literal["status", "latency", "json"] = "status"
    """What is read of the reply; where `json` is written, `json`."""
    json_path: str | None = Field(default=None, alias="json")
    """Where the value stands in the JSON reply, like `database.pool.open` or `items.0.state`."""

    @model_validator(mode="before")
    @classmethod
    def _a_path_is_read(cls, written: Any) -> Any:
        if not isinstance(written, dict) or written.get("json") is None:
            return written
        if written.get("read", "json") != "json":
            sentence = f"`json` is not read with `read: {written['read']}`"
            raise refusal(sentence, "Write `read: json`, or remove `json`.")
        return {**written, "read": "json"}

    def description(self) -> str:
        """Return the request and what is read."""
        return f"{self.read}{' ' + self.json_path if self.json_path else ''} of GET {self.path} at {self.connection}"

    def counts(self) -> tuple[Selection, ...]:
        """Return all alerts, where the reply lists some, or those that a query in the path may count."""
        path, _, asked = self.path.partition("?")
        if ALERTS.search(SLASHES.sub("/", unquote(unquote(path)))):  # twice, since a proxy may do so too
            return (Selection("alerts"),)
        return tuple(selection for query in _queries(asked) for selection in in_promql(query))

    def unseen(self) -> str:
        """Return the recording rules that a query in the path reads."""
        queries = _queries(self.path.partition("?")[2])
        return ", ".join(rule for query in queries for rule in recording_rules(query))

    async def ask(self, context: SourceContext) -> Answer:
        """Send the request."""
        started = context.now()
        reply = await context.get(self.connection, self.path)
        started, query = cache.made(reply, started), f"GET {reply.url}"
        if self.read == "status":
            return Answer(reply.status_code, started, query)
        if self.read == "json":
            note = f"from a reply with status {reply.status_code}" if reply.is_error else ""
            return Answer(await apart(self._pick, len(reply.content), reply), started, query, note)
        if reply.is_error:
            fault = f"{reply.url} answered {reply.status_code}, and the latency of an error proves nothing"
            raise SourceError(_cause(reply, "invalid"), fault)
        if cache.age(reply):
            raise SourceError("stale", f"{reply.url} was answered by a cache, whose latency is not the service's")
        return Answer(reply.elapsed.total_seconds(), started, query)

    def _pick(self, reply: httpx.Response) -> bool | float | str:
        where = f"{self.path} (status {reply.status_code})" if reply.is_error else self.path
        try:
            document = json_path.parsed(reply.text)
        except LookupError as error:
            fault = f"{where} did not reply with JSON: {reply.text[:80]!r}"
            raise SourceError(_cause(reply, "invalid"), fault) from error
        try:
            value = json_path.at(document, self.json_path or "")
        except LookupError as error:
            raise SourceError(_cause(reply, "no_data"), f"{where}: {error.args[0]}") from error
        if not isinstance(value, bool | int | float | str):
            raise SourceError("invalid", f"{where} has {_named(value)} at {self.json_path}, not one value")
        return value


def _named(value: Any) -> str:
    """Return what JSON calls a value that is not a single one."""
    return "null" if value is None else "a list" if isinstance(value, list) else "an object"


def _cause(reply: httpx.Response, otherwise: Cause) -> Cause:
    """Return why there is no value: a server error counts as unreachable, anything else as given."""
    return "unreachable" if reply.is_server_error else otherwise


def _queries(asked: str) -> list[str]:
    """Return the queries of metrics that the parameters of an address hold."""
    return [value for name, value in parse_qsl(asked) if name in QUERIES]
