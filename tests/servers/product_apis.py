"""Servers that speak the APIs of products as their documentation has them: rights, paging, limits and all."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from changewindow.systems.connection import Connection
from support import recording_server as recording
from support.recording_server import Request

TOKEN = "s3cret-token"
Query = dict[str, list[str]]
Reply = tuple[int, Any] | tuple[int, Any, dict[str, str]]


@dataclass
class Desk:
    """A product whose API is served here."""

    kind: str
    routes: dict[str, Callable[..., Reply]]
    """What answers by the regular expression of a path; it gets the query, and what the expression has captured."""
    authorization: str
    refusals: dict[int, Any]
    """The body of 401, 403, 404 and 429."""
    url: str = ""
    is_forbidden: bool = False
    limit: dict[str, str] | None = None
    """The headers of the answer to everything, when there was too much."""
    limited: int = 429
    """The status of that answer."""
    paths: list[str] = field(default_factory=list)
    """The path of each request."""
    age: int = 0
    """For how many seconds a cache has kept each answer."""

    def connection(self, name: str = "desk", **changed: Any) -> Connection:
        """Return the connection to it."""
        return Connection(name, **{"kind": self.kind, "host": self.url, "password": TOKEN, **changed})

    def reply(self, request: Request) -> recording.Reply:
        """Answer as the product does."""
        self.paths.append(request.path)
        status, body, headers = self._answer(request)
        kind = {"Content-Type": "application/json", **({"Age": str(self.age)} if self.age else {})}
        return recording.Reply(status, json.dumps(body), {**kind, **headers})

    def _answer(self, request: Request) -> tuple[int, Any, dict[str, str]]:
        is_known = request.headers.get("Authorization") == self.authorization
        status = 401 if not is_known else 403 if self.is_forbidden else 404
        if self.limit is not None:
            return self.limited, self.refusals[429], self.limit
        for pattern, answers in self.routes.items():
            match = re.fullmatch(pattern, request.path)
            if match and status == 404:
                code, body, *more = answers(request.query, *match.groups())
                return code, self.refusals[404] if code == 404 else body, more[0] if more else {}
        return status, self.refusals[status], {}


@contextmanager
def serving(desk: Desk) -> Iterator[Desk]:
    """Serve a product's API on a free port."""
    with recording.recording_server(desk.reply) as server:
        desk.url = server.url
        yield desk


def page(entries: list[Any], query: Query, most: int = 100) -> list[Any]:
    """Return a page by `offset` and `limit`."""
    limit, offset = (int(query.get(name, ["0"])[0]) for name in ("limit", "offset"))
    return entries[offset : offset + min(limit or 25, most)]


def pagerduty(data: dict[str, list[dict[str, Any]]]) -> Desk:
    """Speak PagerDuty's REST API v2 over services, schedules, escalation_policies, incidents, oncalls and shifts."""

    def listed(query: Query, kind: str) -> Reply:
        entries, wanted = data.get(kind, []), query.get("query", [""])[0].lower()
        entries = [entry for entry in entries if wanted in str(entry.get("name", "")).lower()]
        if kind == "incidents":
            entries = [entry for entry in entries if entry["status"] in query["statuses[]"]]
            entries = [entry for entry in entries if entry["service"]["id"] in query["service_ids[]"]]
            # Without a range of dates, those of the last month only.
            entries = [entry for entry in entries if query.get("date_range") == ["all"] or not entry.get("is_old")]
        if kind == "oncalls":
            entries = [
                entry for entry in entries if entry["escalation_policy"]["id"] in query["escalation_policy_ids[]"]
            ]
        shown = page(entries, query)
        offset = int(query.get("offset", ["0"])[0])
        return 200, {kind: shown, "more": offset + len(shown) < len(entries), "total": None, "offset": offset}

    def by_id(_: Query, kind: str, number: str) -> Reply:
        matching = [entry for entry in data.get(kind, []) if entry["id"] == number]
        singular = re.sub("(ie)?s$", lambda plural: "y" if plural[1] else "", kind)
        return (200, {singular: matching[0]}) if matching else (404, None)

    def shift(query: Query, number: str) -> Reply:
        assert query["since"] < query["until"]
        return 200, {"users": [user for user in data.get("shifts", []) if user["schedule"] == number]}

    routes: dict[str, Callable[..., Reply]] = {
        r"/(services|schedules|escalation_policies|incidents|oncalls)": listed,
        r"/(services|schedules|escalation_policies)/(\w+)": by_id,
        r"/schedules/(\w+)/users": shift,
    }
    refusals = {
        401: {"error": {"message": "Unauthorized", "code": 2006}},
        403: {"error": {"message": "Access Denied", "code": 2010, "errors": []}},
        404: {"error": {"message": "Not Found", "code": 2100}},
        429: {"error": {"message": "Rate Limit Exceeded", "code": 2020}},
    }
    return Desk("pagerduty", routes, f"Token token={TOKEN}", refusals)


def opsgenie(data: dict[str, list[dict[str, Any]]]) -> Desk:
    """Speak Opsgenie's API over services, incidents, schedules and users."""

    def listed(query: Query, kind: str) -> Reply:
        entries = data.get(kind, [])
        if kind == "incidents" and "query" in query:
            entries = [entry for entry in entries if f"status:{entry['status']}" == query["query"][0]]
        shown, offset = page(entries, query), int(query.get("offset", ["0"])[0])
        following = {"next": f"/v1/{kind}?offset={offset + len(shown)}"} if offset + len(shown) < len(entries) else {}
        return 200, {"data": shown, "paging": {"first": f"/v1/{kind}?offset=0", **following}, "requestId": "1"}

    def by_id(_: Query, kind: str, number: str) -> Reply:
        matching = [entry for entry in data.get(kind, []) if number in {entry["id"], entry.get("username")}]
        return (200, {"data": matching[0]}) if matching else (404, None)

    def on_calls(query: Query, wanted: str) -> Reply:
        by = query.get("scheduleIdentifierType", ["id"])[0]
        matching = [entry for entry in data.get("schedules", []) if entry[by] == wanted.replace("%20", " ")]
        if not matching or query["flat"] != ["true"]:
            return 404, None
        parent = {"id": matching[0]["id"], "name": matching[0]["name"], "enabled": matching[0].get("enabled", True)}
        return 200, {"data": {"_parent": parent, "onCallRecipients": matching[0]["now"]}}

    routes: dict[str, Callable[..., Reply]] = {
        r"/v1/(services|incidents)": listed,
        r"/v[12]/(services|users)/([^/]+)": lambda query, kind, number: by_id(query, kind, number.replace("%40", "@")),
        r"/v2/schedules/([^/]+)/on-calls": on_calls,
    }
    refusals = {
        401: {"message": "Could not authenticate", "took": 0.0, "requestId": "1"},
        403: {"message": "You are not authorized to access to the schedule", "code": 40301, "requestId": "1"},
        404: {"message": "No record found", "requestId": "1"},
        429: {"message": "You are making too many requests!", "requestId": "1"},
    }
    return Desk("opsgenie", routes, f"GenieKey {TOKEN}", refusals)


def numbered(entries: list[Any], query: Query) -> Reply:
    """Return a page by its number, without what may not be seen: it is left out of its page, which is shorter then."""
    count, number = int(query["per_page"][0]), int(query["page"][0])
    following = (
        {"Link": f'<https://example.org/?page={number + 1}>; rel="next"'} if number * count < len(entries) else {}
    )
    page = entries[(number - 1) * count : number * count]
    return 200, [entry for entry in page if not entry.get("is_hidden")], following


def github(pull: dict[str, Any], reviews: list[dict[str, Any]], *, prefix: str = "/api/v3") -> Desk:
    """Speak GitHub's REST API about one pull request."""
    at = rf"{prefix}/repos/example/orders/pulls/481"
    routes: dict[str, Callable[..., Reply]] = {
        at: lambda _: (200, pull),
        f"{at}/reviews": lambda query: numbered(reviews, query),
    }
    refusals = {
        401: {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest", "status": "401"},
        403: {"message": "Resource not accessible by personal access token", "status": "403"},
        404: {"message": "Not Found", "status": "404"},
        429: {"message": "You have exceeded a secondary rate limit."},
    }
    return Desk("http", routes, f"Bearer {TOKEN}", refusals)


def gitlab(request: dict[str, Any], parts: dict[str, Any]) -> Desk:
    """Speak GitLab's REST API about one merge request; `parts` holds approvals, reviewers, versions and notes."""

    def part(query: Query, name: str) -> Reply:
        if name == "approvals":
            return 200, parts[name]
        return numbered(parts[name], {"per_page": ["20"], "page": ["1"], **query})

    at = r"/api/v4/projects/example%2Fshop%2Forders/merge_requests/481"
    routes: dict[str, Callable[..., Reply]] = {
        at: lambda _: (200, request),
        rf"{at}/(approvals|reviewers|versions|notes)": part,
    }
    refusals = {
        401: {"error": "invalid_token", "error_description": "Token is expired."},
        403: {"error": "insufficient_scope", "error_description": "The request requires higher privileges."},
        404: {"message": "404 Not found"},
        429: {"message": "Retry later"},
    }
    return Desk("http", routes, f"Bearer {TOKEN}", refusals)


def grafana(groups: list[dict[str, Any]], *, login: str = "") -> Desk:
    """Speak Grafana's API of alert rules."""
    body = {"status": "success", "data": {"groups": groups}}
    basic = "Basic " + base64.b64encode(f"{login}:{TOKEN}".encode()).decode()
    refusals = {
        401: {"message": "Invalid API key", "messageId": "api-key.invalid", "statusCode": 401},
        403: {"message": "Permissions needed: alert.rules:read", "accessErrorId": "ACE0", "title": "Access denied"},
        404: {"message": "Not found"},
        429: {"message": "Too many requests"},
    }
    routes: dict[str, Callable[..., Reply]] = {"/api/prometheus/grafana/api/v1/rules": lambda _: (200, body)}
    return Desk("http", routes, basic if login else f"Bearer {TOKEN}", refusals)
