"""PagerDuty and Opsgenie as those know them who look up and open incidents: what their APIs document, and no more."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from changewindow.systems.connection import Connection
from support import recording_server as recording
from support.recording_server import Reply, Request

TOKEN = "s3cret-key"
ALERT = "8743a1b2-11da-480e-8493-744660987bef"
INCIDENT = "513085b8-caf3-4f91-aa23-be5fdefc3570"


@dataclass
class IncidentDesk:
    """A product with incidents."""

    kind: str
    url: str = ""
    incidents: list[dict[str, Any]] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    opened: list[dict[str, Any]] = field(default_factory=list)
    """The bodies with which incidents were opened."""
    slow: float = 0
    is_lazy: bool = False
    """Whether Opsgenie has not yet made the alert at the first look."""

    def connection(self, **changed: Any) -> Connection:
        """Return the connection to it."""
        fields = {"kind": self.kind, "host": self.url, "password": TOKEN, "login": "ops@example.org", **changed}
        return Connection("desk", **fields)

    def reply(self, request: Request) -> Reply:
        """Answer as the product does."""
        self.asked.append(request)
        scheme = {"pagerduty": f"Token token={TOKEN}", "opsgenie": f"GenieKey {TOKEN}"}[self.kind]
        answers = {"pagerduty": self._pagerduty, "opsgenie": self._opsgenie}[self.kind]
        is_known = request.headers.get("Authorization") == scheme
        status, body = answers(request) if is_known else (401, {"message": f"no such key: {TOKEN}"})
        return Reply(status, json.dumps(body), {"Content-Type": "application/json"}, delay=self.slow)

    def _pagerduty(self, request: Request) -> tuple[int, Any]:
        if request.path.startswith("/incidents/"):
            wanted = request.path.rpartition("/")[2]
            known = [entry for entry in self.incidents if wanted in {entry["id"], str(entry["incident_number"])}]
            return (200, {"incident": known[0]}) if known else (404, {"error": {"message": "Not Found", "code": 2100}})
        if request.method == "POST" and request.path == "/incidents":
            return self._opened_at_pagerduty(request)
        if request.path == "/incidents":
            query = request.query
            keyed = [entry for entry in self.incidents if entry.get("incident_key") == query["incident_key"][0]]
            return 200, {"incidents": [e for e in keyed if e["status"] in query["statuses[]"]], "more": False}
        if request.path == "/services":
            return 200, {"services": [{"id": "PORDERS", "name": "orders"}], "more": False}
        return 404, {"error": {"message": "Not Found", "code": 2100}}

    def _opened_at_pagerduty(self, request: Request) -> tuple[int, Any]:
        body = json.loads(request.body)["incident"]
        if request.headers.get("From") != "ops@example.org":
            return 400, {"error": {"message": "Requester User Not Found", "code": 2100}}
        assert body["service"] == {"id": "PORDERS", "type": "service_reference"}
        self.opened.append(body)
        entry = {"id": "PNEW123", "incident_number": 9, "title": body["title"], "status": "triggered"}
        page = {"incident_key": body["incident_key"], "html_url": f"{self.url}/incidents/PNEW123"}
        self.incidents.append({**entry, **page})
        return 201, {"incident": self.incidents[-1]}

    def _opsgenie(self, request: Request) -> tuple[int, Any]:
        missing = {"message": "Alert does not exist", "requestId": "1"}
        if request.method == "POST" and request.path == "/v2/alerts":
            self.opened.append(json.loads(request.body))
            return 202, {"result": "Request will be processed", "took": 0.3, "requestId": "r-1"}
        if request.path == "/v2/alerts/requests/r-1":
            if self.is_lazy:
                self.is_lazy = False
                return 404, missing
            return 200, {"data": {"isSuccess": True, "status": "Created alert", "alertId": ALERT}, "requestId": "2"}
        kind = "alert" if request.path.startswith("/v2/alerts/") else "incident"
        by, wanted = request.query["identifierType"][0], request.path.rpartition("/")[2]
        name = {"id": "id", "tiny": "tinyId"}[by]
        known = [entry for entry in self.incidents if entry["kind"] == kind and entry[name] == wanted]
        return (200, {"data": known[0]}) if known else (404, missing)


def pagerduty(status: str = "acknowledged") -> IncidentDesk:
    """Return PagerDuty with one incident."""
    entry = {"id": "PT4KHLK", "incident_number": 1234, "title": "Checkout is down", "status": status}
    return IncidentDesk("pagerduty", incidents=[{**entry, "html_url": "https://acme.pagerduty.com/incidents/PT4KHLK"}])


def opsgenie(status: str = "open") -> IncidentDesk:
    """Return Opsgenie with one alert and one incident."""
    alert = {"kind": "alert", "id": ALERT, "tinyId": "17", "message": "Checkout is down", "status": status}
    incident = {"kind": "incident", "id": INCIDENT, "tinyId": "18", "message": "Orders are lost", "status": status}
    return IncidentDesk("opsgenie", incidents=[alert, incident])


@contextmanager
def serving(desk: IncidentDesk) -> Iterator[IncidentDesk]:
    """Serve a product's API on a free port."""
    with recording.recording_server(desk.reply) as server:
        desk.url = server.url
        yield desk
