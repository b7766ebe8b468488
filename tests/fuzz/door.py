"""The door: whatever is sent to a writing route of Airflow, nothing breaks, and nothing comes through that is refused.

Behind the door stand the same routes as in Airflow; they do nothing but note what Airflow would have acted on. What
may not be done is written down here a second time, from what was noted, so that neither reading hides a mistake of the
other.
"""

import asyncio
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from airflow.api_fastapi.app import create_app
from fastapi.routing import APIRoute
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import Message, Receive, Scope, Send

from changewindow.flow.own_dag import OWN_DAGS
from changewindow.flow.server import audit
from changewindow.flow.server.asked import Asked, Person
from changewindow.flow.server.door import READING, Door
from changewindow.flow.server.judge import judge
from changewindow.ledger.database import Ledger
from changewindow.settings import LEDGER_CONNECTION
from fuzz.guarded import Wrong, sent
from fuzz.mutation import SCALARS, as_json, mutated, mutated_data
from support.changes import NOW, approved
from support.tickets import banner

FIELDS = [
    "dag_id",
    "dag_ids",
    "conf",
    "mode",
    "actions",
    "entities",
    "action",
    "is_paused",
    "dry_run",
    "logical_date",
    "run_after",
    "name",
    "note",
    "new_state",
    "slots",
    "include_deferred",
    "pool",
    "connection_id",
    "dag_run_id",
    "task_id",
    "commit_on_success",
    "description",
    "key",
    "value",
]
WORDS = ("rollback", "delete", "update", "create", "~", "default_pool", LEDGER_CONNECTION, "etl", "manual__1", "lift")
PATTERNS = ("dag_id_pattern", "dag_id_prefix_pattern", "dag_display_name_pattern", "dag_id", "update_mask", "tags")
ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-16", "utf-32", "utf-8-sig", "latin-1", "utf-7")
NOT_FOUND = 404


class Case(NamedTuple):
    """A request."""

    method: str
    target: str
    """Path and query as they stand in the request's first line."""
    body: bytes
    pieces: int
    person: str


@dataclass
class Did:
    """What Airflow would have acted on."""

    method: str
    route: str
    parameters: Mapping[str, str]
    query: QueryParams
    body: Any

    @property
    def key(self) -> str:
        """Return the route as the table names it."""
        return f"{self.method} {self.route}"


class Facts:
    """Three changes: one waits, one acts, one is completed."""

    now = NOW

    def __init__(self, ledger: Ledger) -> None:
        made = {name: approved(ledger, banner()).change for name in ("approved", "running", "completed")}
        self.running = made["running"]
        with ledger.reading() as session:
            self.changes = {change: _with_status(session, change, status) for status, change in made.items()}

    def change(self, identity: str) -> Any:
        """Return one of them."""
        return self.changes.get(identity)

    def acting(self) -> list[str]:
        """Return the one that acts."""
        return [self.running]

    def open_runs(self, dag: str) -> list[str]:
        """Return its run."""
        return ["scheduled__1"] if dag == self.running else []

    def why_not(self, dag: str, _params: Mapping[str, Any], person: Person) -> str:
        """Allow mallory nothing."""
        return f"{person.name} may not run {dag}" if person.name == "mallory" else ""


class Doors:
    """The door before the routes of this Airflow."""

    name = "door"

    def __init__(self, folder: Path) -> None:
        database = folder / "door.db"
        os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"] = str(folder / "passwords.json")
        os.environ[f"AIRFLOW_CONN_{LEDGER_CONNECTION.upper()}"] = as_json(
            {"conn_type": "sqlite", "host": str(database)}
        )
        os.environ["CHANGEWINDOW_SPOOL"] = str(folder / "spool.jsonl")
        ledger = Ledger(f"sqlite:///{database}")
        ledger.upgrade()
        self.facts = Facts(ledger)
        self.airflow = create_app()
        routes = [route for route in self.airflow.routes if isinstance(route, APIRoute)]
        self.behind = Router([Route(route.path, self._note, methods=list(route.methods)) for route in routes])
        self.keys = sorted({f"{method} {route.path}" for route in routes for method in route.methods - READING})
        self.loop = asyncio.new_event_loop()
        self.did: list[Did] = []
        self.records = 0
        self.door = Door(self._behind, who=_who, decide=lambda asked: judge(asked, self.facts), record=self._record)
        self.dags = [*self.facts.changes, "CHG-4242", "etl", "~", *sorted(OWN_DAGS)]

    def case(self, random: Random) -> Case:
        """Return a request to some route, about some DAG, in some disguise."""
        method, _, route = random.choice(self.keys).partition(" ")
        path = re.sub(r"\{(\w+)(?::path)?\}", lambda name: quote(self._named(random, name[1]), safe="~"), route)
        query = "&".join(
            f"{random.choice(PATTERNS)}={quote(self._word(random))}" for _ in range(random.choice((0, 0, 1, 3)))
        )
        if random.random() < 0.3:
            path = mutated(random, [path.encode()])[:2000].decode("latin-1")
        if random.random() < 0.1:
            method = random.choice(("POST", "PATCH", "DELETE", "PUT", "post", "GET", "TRACE", "QUERY"))
        target = "".join(sign if " " < sign < "\x7f" else quote(sign) for sign in f"{path}?{query}" if sign != "#")
        return Case(method, target, self._body(random), random.choice((1, 1, 3)), random.choice(("alice", "mallory")))

    def try_out(self, case: Case) -> None:
        """Send it, and see what has come through."""
        self.did.clear()
        status = self.loop.run_until_complete(self._sent(case))
        for did in self.did:
            if reason := forbidden(did, case.person, self.facts.running):
                raise Wrong(f"came through: {reason} {did}")
        if status >= 500 or (not self.did and status not in {307, 400, 401, 403, 404, 405, 409, 413}):
            raise Wrong(f"answered {status}")

    async def _sent(self, case: Case) -> int:
        path, _, query = case.target.partition("?")
        decoded = unquote(path)
        messages: list[Message] = []
        size = -(-len(case.body) // case.pieces)
        parts = [case.body[start : start + size] for start in range(0, len(case.body), size or 1)] or [b""]
        left = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        left[-1]["more_body"] = False

        async def receive() -> Message:
            return left.pop(0) if left else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            messages.append(message)

        headers = [(b"content-type", b"application/json"), (b"x-person", case.person.encode())]
        scope = {"type": "http", "method": case.method, "path": decoded, "raw_path": path.encode(), "root_path": ""}
        scope |= {"query_string": query.encode(), "headers": headers, "app": self.airflow, "scheme": "http"}
        await self.door(scope, receive, send)
        return next(int(message["status"]) for message in messages if "status" in message)

    async def _behind(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.behind(scope, receive, send)
        except HTTPException as error:
            await JSONResponse({}, error.status_code)(scope, receive, send)

    async def _note(self, request: Request) -> Response:
        try:
            body = json.loads(await request.body())
        except (ValueError, RecursionError):
            body = None
        parameters = {name: str(value) for name, value in request.path_params.items()}
        self.did.append(Did(request.method, self._template(request), parameters, request.query_params, body))
        return JSONResponse({}, 200)

    def _template(self, request: Request) -> str:
        matching = (route for route in self.behind.routes if route.matches(request.scope)[0].value == 2)
        return str(next(matching).path)  # type: ignore[attr-defined]

    def _record(self, asked: Asked, status: int) -> None:
        """Record it as the door does; not each time, for a disk is slow."""
        sent(audit.without_values(asked.json))
        self.records += 1
        if self.records % 20 == 0:
            audit.record(asked, status)

    def _named(self, random: Random, name: str) -> str:
        if name == "dag_id":
            return _disguised(random, random.choice(self.dags))
        if name in {"pool_name", "connection_id"}:
            return _disguised(random, random.choice(("default_pool", LEDGER_CONNECTION, "mine")))
        return self._word(random)

    def _word(self, random: Random) -> str:
        if random.random() < 0.7:
            return _disguised(random, random.choice((*self.dags, *WORDS, "%", "_", "abort%", "CHG-%|etl", "a|h", "\\")))
        return str(random.choice(SCALARS)).encode(errors="replace").decode()[:500]

    def _body(self, random: Random) -> bytes:
        data = self._tree(random, 0)
        if random.random() < 0.3:
            data = mutated_data(random, data)
        text = as_json(data)
        if random.random() < 0.1:  # which of two counts, both readers have to agree about
            text = text.replace("{", '{"dag_id": "etl", "is_paused": false, ', 1)
        body = text.encode(random.choice(ENCODINGS), errors="replace")
        return mutated(random, [body]) if random.random() < 0.15 else body

    def _tree(self, random: Random, depth: int) -> Any:
        kind = random.randrange(10)
        if depth > 4 or kind < 3:
            return random.choice((self._word(random), random.choice(SCALARS), random.choice((True, False, 0, 4, -1))))
        if kind < 4:
            return [self._tree(random, depth + 1) for _ in range(random.choice((0, 1, 2, 5)))]
        return {random.choice(FIELDS): self._tree(random, depth + 1) for _ in range(random.choice((1, 2, 4, 8)))}


def forbidden(did: Did, person: str, running: str) -> str:
    """Return why nobody, or not this person, may do what was done; an empty text where that is not known for sure."""
    if did.method in READING:
        return ""
    dag, fields = did.parameters.get("dag_id", ""), did.body if isinstance(did.body, dict) else {}
    ours, is_needed = _is_ours(dag), dag in OWN_DAGS or dag == running
    pauses, task = (
        _is_true(fields.get("is_paused")),
        "/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}",
    )
    is_backfill = did.key == "POST /api/v2/backfills" and _is_ours(str(fields.get("dag_id")))
    is_ledger = did.method in {"PATCH", "DELETE"} and did.parameters.get("connection_id") == LEDGER_CONNECTION
    rows = {
        "what tasks left was written": ours and re.search(r"/(xcomEntries|state-store)(/|$)", did.route),
        "one task was deleted": ours and did.key == f"DELETE {task}",
        "a date was given to a run of ours": is_backfill or (ours and did.route.endswith("/clearPartitions")),
        "a DAG that is needed was deleted": is_needed and did.key == "DELETE /api/v2/dags/{dag_id}",
        "a DAG that acts was paused": is_needed and pauses and did.key == "PATCH /api/v2/dags/{dag_id}",
        "DAGs that act were paused by a pattern": (
            pauses and did.key == "PATCH /api/v2/dags" and _is_meant(did.query, {*OWN_DAGS, running})
        ),
        "somebody without the right has triggered a run": (
            ours and person == "mallory" and did.key == "POST /api/v2/dags/{dag_id}/dagRuns"
        ),
        "the ledger's connection was changed": is_ledger and fields.get("commit_on_success") is not False,
        "the pool of changes was deleted": did.method == "DELETE" and did.parameters.get("pool_name") == "default_pool",
    }
    return next((reason for reason, is_so in rows.items() if is_so), "")


def _is_ours(dag: str) -> bool:
    return dag in OWN_DAGS or re.fullmatch("CHG-[0-9]{1,9}", dag) is not None


def _is_true(value: Any) -> bool:
    """Return whether Airflow takes a value for true."""
    return value is True or value == 1 or str(value).lower() in {"true", "t", "yes", "y", "on", "1"}


def _is_meant(query: QueryParams, dags: set[str]) -> bool:
    """Return whether a search by name, as Airflow documents it, finds one of some DAGs."""
    terms = [term for text in query.getlist("dag_id_pattern")[-1:] for term in text.split("|")]
    likes = ["".join({"%": ".*", "_": "."}.get(sign, re.escape(sign)) for sign in term.strip()) for term in terms]
    return any(re.search(like, dag, re.IGNORECASE) for like in likes if like for dag in dags)


def _disguised(random: Random, name: str) -> str:
    """Return a name in another form."""
    forms = (
        name.lower(),
        name.upper(),
        f" {name}",
        f"{name} ",
        f"{name}/",
        f"{name}\x00",
        name.replace("-", "\u2013"),
        f"x{name}",
    )
    return random.choice(forms) if random.random() < 0.25 else name


async def _who(scope: Scope) -> Person:
    return Person(dict(scope["headers"])[b"x-person"].decode())


def _with_status(session: Any, change: str, status: str) -> Any:
    from changewindow.ledger.events import known  # noqa: PLC0415

    row = known(session, change)
    session.expunge(row)
    row.status, row.closed_at = status, NOW - timedelta(hours=1) if status == "completed" else None
    return row
