"""Servers that take what markers send, and refuse what each product would refuse by its documentation."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from changewindow.systems.connection import Connection
from support.recording_server import RecordingServer, Reply, Request, recording_server

KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
TOKEN = "0123456789abcdef0123456789abcdef"
Entry = dict[str, Any]


class Refused(Exception):
    """What the product answers to a request that is not as documented."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, body)
        self.reply = Reply(status, json.dumps(body))


@dataclass
class Tool:
    """A product that is told of changes."""

    password: str
    take: "Callable[[Tool, Request], tuple[int, Any]]"
    entries: dict[str, Entry] = field(default_factory=dict)
    """What stands there, by what the product calls it."""
    server: RecordingServer = field(default_factory=RecordingServer)

    def connection(self, name: str = "tool", **changed: Any) -> Connection:
        """Return the connection to it."""
        return Connection(name, **{"kind": "http", "host": self.server.url, "password": self.password, **changed})

    def reply(self, request: Request) -> Reply:
        """Answer as the product does."""
        try:
            status, body = self.take(self, request)
        except Refused as refused:
            return refused.reply
        return Reply(status, "" if body is None else json.dumps(body))

    def add(self, entry: Entry, name: str = "") -> str:
        """Keep an entry; return what it is called."""
        name = name or str(len(self.entries) + 1)
        self.entries[name] = entry
        return name


def grafana(tool: Tool, request: Request) -> tuple[int, Any]:
    """Speak Grafana's API of annotations (https://grafana.com/docs/grafana/latest/developers/http_api/annotations/)."""
    _require(request.headers.get("Authorization") == f"Bearer {TOKEN}", 401, {"message": "Invalid API key"})
    if request.method == "GET":
        asked = parse_qs(request.target.partition("?")[2])
        _require(asked.keys() <= {"from", "to", "limit", "tags", "type", "dashboardUID", "matchAny"}, 400, {})
        board = asked.get("dashboardUID", [None])[0]
        found = [
            {"id": int(name), **entry}
            for name, entry in tool.entries.items()
            if set(asked.get("tags", [])) <= set(entry["tags"]) and board in {None, entry.get("dashboardUID")}
        ]
        return 200, found[: int(asked.get("limit", ["100"])[0])]
    body = json.loads(request.body)
    wrong = {"message": "bad request data"}
    _require(body.keys() <= {"dashboardUID", "panelId", "time", "timeEnd", "tags", "text"}, 400, wrong)
    _require(all(isinstance(tag, str) and 0 < len(tag) <= 100 for tag in body.get("tags", [])), 400, wrong)
    _require(all(isinstance(body.get(name, 0), int) for name in ("time", "timeEnd")), 400, wrong)
    if request.method == "PATCH":
        name = request.path.rpartition("/")[2]
        _require(name in tool.entries, 404, {"message": "Could not find annotation to update"})
        tool.entries[name].update(body)
        return 200, {"message": "Annotation patched"}
    _require(request.path == "/api/annotations" and bool(body.get("text")), 400, wrong)
    return 200, {"message": "Annotation added", "id": int(tool.add({"timeEnd": body["time"], **body}))}


def pagerduty(tool: Tool, request: Request) -> tuple[int, Any]:
    """Speak PagerDuty's Events API v2 (https://developer.pagerduty.com/docs/send-change-event)."""
    body = json.loads(request.body)
    reasons = [] if len(body.get("routing_key", "")) == 32 else ["'routing_key' is invalid"]
    event = body.get("payload", {})
    if not 0 < len(event.get("summary", "")) <= 1024:
        reasons.append("'summary' is missing or too long")
    if not event.keys() <= {"summary", "source", "timestamp", "custom_details"} or not body.keys() <= {
        *("routing_key", "payload", "links")
    }:
        reasons.append("Unknown field")
    datetime.fromisoformat(event["timestamp"])
    problem = {"status": "invalid event", "message": "Event object is invalid", "errors": reasons}
    _require(not reasons and len(request.body) < 512 << 10, 400, problem)
    _require((request.method, request.path) == ("POST", "/v2/change/enqueue"), 404, {})
    tool.add(event)
    return 202, {"status": "success", "message": "Change event processed"}


def datadog(tool: Tool, request: Request) -> tuple[int, Any]:
    """Speak Datadog's API of events, version 1 (https://docs.datadoghq.com/api/latest/events/#post-an-event)."""
    _require(request.headers.get("DD-API-KEY") == TOKEN, 403, {"errors": ["Forbidden"]})
    _require((request.method, request.path) == ("POST", "/api/v1/events"), 404, {"errors": ["Not found"]})
    event = json.loads(request.body)
    known = {"title", "text", "tags", "alert_type", "aggregation_key", "date_happened", "priority", "host"}
    wrong = {"errors": ["Invalid event"]}
    _require(event.keys() <= known and bool(event["title"]) and 0 < len(event["text"]) <= 4000, 400, wrong)
    _require(event["alert_type"] in {"error", "warning", "info", "success", "user_update"}, 400, wrong)
    _require(len(event["aggregation_key"]) <= 100 and all(len(tag) <= 200 for tag in event["tags"]), 400, wrong)
    _require(isinstance(event["date_happened"], int), 400, wrong)
    name = tool.add(event)
    return 202, {"status": "ok", "event": {"id": int(name), "title": event["title"], "tags": event["tags"]}}


def webhook(tool: Tool, request: Request) -> tuple[int, Any]:
    """Verify what comes as the Standard Webhooks specification says, with the secret of the receiver."""
    identity, sent = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    expected = hmac.new(KEY, f"{identity}.{sent}.{request.body}".encode(), hashlib.sha256).digest()
    signatures = [signature.partition(",") for signature in request.headers["webhook-signature"].split(" ")]
    is_ours = any(kind == "v1" and base64.b64decode(text) == expected for kind, _, text in signatures)
    _require(is_ours and abs(time.time() - int(sent)) < 300, 401, {"message": "bad signature"})
    _require(len(request.body) < 20_000 and "." not in identity, 413, {"message": "too large"})
    body = json.loads(request.body)
    _require(body.keys() == {"type", "timestamp", "data"}, 400, {"message": "unknown"})
    tool.add(body, identity)
    return 204, None


TOOLS: dict[str, Callable[[], Tool]] = {
    "grafana": lambda: Tool(TOKEN, grafana),
    "pagerduty": lambda: Tool(TOKEN, pagerduty),
    "datadog": lambda: Tool(TOKEN, datadog),
    "webhook": lambda: Tool(SECRET, webhook),
}
"""A product for each kind of marker."""


@contextmanager
def telling(kind: str) -> Iterator[Tool]:
    """Serve the product of a kind of marker until the block ends."""
    tool = TOOLS[kind]()
    with recording_server(tool.reply) as tool.server:
        yield tool


def _require(condition: bool, status: int, body: Any) -> None:  # noqa: FBT001  it reads as a sentence
    if not condition:
        raise Refused(status, body)
