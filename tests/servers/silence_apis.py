"""Servers that silence as the documentation of each product has it: what they refuse, and how they write it down."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from changewindow.systems.connection import Connection
from servers import alertmanager
from support.recording_server import RecordingServer, Reply, Request, recording_server

TOKEN = "s3cret-token"
ELSEWHERE = timezone(timedelta(hours=2))
"""The time zone of the account, in which PagerDuty writes."""


@dataclass
class Place:
    """A product of which silences are asked, with the connection to it."""

    connection: Connection
    server: RecordingServer | None = None
    """None: the real product."""


@dataclass
class Kept:
    """What a product holds, by id."""

    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Keep an entry under a new id, and return it."""
        name = f"{len(self.entries):08x}-1111-2222-3333-444444444444"
        self.entries[name] = {**entry, "id": name}
        return self.entries[name]


def time(text: str) -> datetime:
    """Return a moment that somebody has written, which is to have its zone."""
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo
    return moment


def now() -> datetime:
    """Return the present."""
    return datetime.now(UTC)


def grafana(kept: Kept, request: Request) -> tuple[int, Any]:
    """Speak Grafana's silences."""
    root = "/api/alertmanager/grafana/api/v2"
    if (request.method, request.path) == ("GET", f"{root}/silences"):
        wanted = set(request.query.get("filter", []))
        return 200, [shown(entry) for entry in kept.entries.values() if wanted <= set(map(text_of, entry["matchers"]))]
    if (request.method, request.path) == ("POST", f"{root}/silences"):
        body = json.loads(request.body)
        assert {"matchers", "startsAt", "endsAt", "createdBy", "comment"} <= body.keys()
        assert any(matcher["isEqual"] and matcher["value"] for matcher in body["matchers"])
        assert time(body["startsAt"]) < time(body["endsAt"]) > now()
        known = kept.entries.get(body.pop("id", ""))
        if known and known["startsAt"] == body["startsAt"] and known["matchers"] == body["matchers"]:
            known.update(body)
            return 202, {"silenceID": known["id"]}
        return 202, {"silenceID": kept.add(body)["id"]}
    name = request.path.removeprefix(f"{root}/silence/")
    if request.method == "DELETE" and name in kept.entries:
        kept.entries[name]["endsAt"] = now().isoformat()
        return 200, {"message": "silence deleted"}
    return 404, {"message": "not found"}


def text_of(matcher: dict[str, Any]) -> str:
    """Return a matcher as people write it."""
    operator = ("=" if matcher["isEqual"] else "!") + ("~" if matcher["isRegex"] else "" if matcher["isEqual"] else "=")
    return f'{matcher["name"]}{operator}"{matcher["value"]}"'


def shown(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a silence as Alertmanager shows it."""
    state = "expired" if time(entry["endsAt"]) <= now() else "active"
    return {**entry, "status": {"state": state}, "updatedAt": now().isoformat()}


def pagerduty(kept: Kept, request: Request) -> tuple[int, Any]:
    """Speak PagerDuty's maintenance windows."""
    if (request.method, request.path) == ("GET", "/maintenance_windows"):
        is_past = request.query["filter"] == ["past"]
        services = set(request.query["service_ids[]"])
        entries = [
            entry
            for entry in kept.entries.values()
            if (time(entry["end_time"]) <= now()) == is_past
            and services & {service["id"] for service in entry["services"]}
        ]
        return 200, {"maintenance_windows": entries, "limit": 100, "offset": 0, "more": False, "total": None}
    if request.method in {"POST", "PUT"}:
        assert "@" in request.headers["From"]
        window = json.loads(request.body)["maintenance_window"]
        assert window["type"] == "maintenance_window"
        assert {service["type"] for service in window["services"]} == {"service_reference"}
        window["end_time"] = time(window["end_time"]).astimezone(ELSEWHERE).isoformat()
        if request.method == "POST":
            return 201, {"maintenance_window": kept.add(window)}
        known = kept.entries[request.path.removeprefix("/maintenance_windows/")]
        known.update(window)
        return 200, {"maintenance_window": known}
    known = kept.entries.get(request.path.removeprefix("/maintenance_windows/"), {})
    if request.method == "DELETE" and known and time(known["end_time"]) > now():
        known["end_time"] = now().isoformat()
        return 204, None
    return (
        (405, {"error": {"message": "it has already ended"}}) if known else (404, {"error": {"message": "Not Found"}})
    )


def opsgenie(kept: Kept, request: Request) -> tuple[int, Any]:
    """Speak Opsgenie's maintenances; its answers hold no rules."""
    name = request.path.removeprefix("/v1/maintenance").strip("/")
    if request.method == "GET" and not name:
        is_past = request.query["type"] == ["past"]
        entries = [entry for entry in kept.entries.values() if (status(entry) in {"past", "cancelled"}) == is_past]
        return 200, {"data": [{**without(entry), "status": status(entry)} for entry in entries], "requestId": "1"}
    if request.method == "POST" and name.endswith("/cancel"):
        kept.entries[name.removesuffix("/cancel")]["status"] = "cancelled"
        return 200, {"result": "Cancelled", "requestId": "1"}
    body = json.loads(request.body)
    assert body["time"].keys() == {"type", "startDate", "endDate"}
    assert body["time"]["type"] == "schedule"
    assert all(rule["state"] == "disabled" and rule["entity"].keys() == {"id", "type"} for rule in body["rules"])
    if request.method == "POST" and not name:
        return 201, {"data": without(kept.add(body)), "requestId": "1"}
    kept.entries[name].update(body)
    return 200, {"data": without(kept.entries[name]), "requestId": "1"}


def status(entry: dict[str, Any]) -> str:
    """Return what has become of a maintenance."""
    return str(entry.get("status") or ("past" if time(entry["time"]["endDate"]) <= now() else "active"))


def without(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a maintenance as Opsgenie writes it."""
    return {name: value for name, value in entry.items() if name != "rules"}


SPEAKING: dict[str, tuple[Callable[[Kept, Request], tuple[int, Any]], str, dict[str, Any]]] = {
    "grafana": (grafana, "Bearer {}", {"kind": "http"}),
    "pagerduty": (pagerduty, "Token token={}", {"kind": "pagerduty", "login": "changes@example.com"}),
    "opsgenie": (opsgenie, "GenieKey {}", {"kind": "opsgenie"}),
}
"""How each product answers, how it is told who asks, and what its connection is like."""


@contextmanager
def speaking(kind: str, name: str) -> Iterator[Place]:
    """Serve a product, reached by the connection of this name."""
    answers, scheme, fields = SPEAKING[kind]
    kept = Kept()

    def reply(request: Request) -> Reply:
        if request.headers.get("Authorization") != scheme.format(TOKEN):
            return Reply(401, json.dumps({"message": "who are you?"}))
        code, body = answers(kept, request)
        return Reply(code, "" if body is None else json.dumps(body), {"Content-Type": "application/json"})

    with recording_server(reply) as server:
        yield Place(Connection(name, host=server.url, password=TOKEN, **fields), server)


@contextmanager
def place(kind: str, name: str, folder: Path) -> Iterator[Place]:
    """Run the real product where there is one here, or serve it."""
    with ExitStack() as stack:
        if kind in SPEAKING:
            yield stack.enter_context(speaking(kind, name))
        else:
            run = {"alertmanager": alertmanager.running}[kind]
            yield Place(Connection(name, "http", host=stack.enter_context(run(folder)).url))


def acts(server: RecordingServer) -> list[str]:
    """Return the requests that act, without ids."""
    sent = [f"{request.method} {request.path}" for request in server.requests if request.method != "GET"]
    return [re.sub(r"[0-9a-f]{8}-[-0-9a-f]+", "ID", request) for request in sent]
