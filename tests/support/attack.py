"""What attempts to get around Change Windows share: an Airflow with changes worth attacking, and what must not change.

An attempt is data: who tries it, what they send, what they must be answered. What an attempt must leave untouched is
looked up before and after it in both databases and in the folder of published changes.
"""

import http.client
import json
import sqlite3
import string
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from changewindow.cli import standalone
from changewindow.cli.airflow_api import Client, wait_for
from changewindow.ledger import changes
from support.real_airflow import HEALTH, Probe, RealAirflow, ticket, window

PEOPLE = {
    "vera": "viewer",
    "alice": "user",
    "bob": "user",
    "carol": "user",
    "mallory": "user",
    "otto": "op",
    "admin": "admin",
}
"""The users by their role; the policy lets alice, bob, carol and the admin approve, mallory may only ask."""
URGENT = {"broken": "Orders cannot be paid", "commander": "carol"}
"""Of an emergency, what is broken and who has said yes; not what is to be done."""
JSON = {"Content-Type": "application/json"}
OWN_DAGS = ("request_change", "abort_change", "housekeeping", "stop_the_line", "release_target", "reslot_change")
OWN_DAGS += ("emergency_change", "emergency_drill", "record_change", "review_change", "follow_up")
OWN_DAGS += ("retroactive_approval",)
OF_AIRFLOW = {
    "dag": "dag_id, is_paused",
    "dag_run": "dag_id, run_id, state, logical_date",
    "task_instance": "dag_id, run_id, task_id, state",
    "xcom": "dag_id, run_id, task_id, key, value",
}
"""What is guarded of each DAG in Airflow's database."""
OF_EVERYBODY = {
    "slot_pool": "pool, slots, include_deferred",
    "hitl_detail": "ti_id, responded_at, chosen_options",
}
OF_LEDGER = {
    "changes": "number, status, digest, requester, reason, opens, closes, run, aborted",
    "revisions": "number, digest, text",
    "approvals": "number, digest, person, role, is_yes",
    "leases": "number, target, token",
}


@dataclass(frozen=True)
class Attempt:
    """One request that somebody sends, and what they must be answered.

    In path and body `$acting`, `$waiting`, `$approved` and `$done` stand for changes, `$run` for the run that acts and
    `$request` for the run that waits for an approval.
    """

    name: str
    who: str
    method: str
    path: str
    body: Any = None
    answers: tuple[int, ...] = (409,)
    says: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    below: str = "/api/v2"


@dataclass
class Ground:
    """An Airflow with changes that act, wait for an approval, are approved and are done: one of each."""

    airflow: RealAirflow
    probe: Probe
    folder: Path
    names: dict[str, str] = field(default_factory=dict)
    attacked: list[str] = field(default_factory=lambda: ["acting", "waiting", "approved", "done"])
    """The names of the changes that no attempt may touch."""
    runs: list[str] = field(default_factory=lambda: ["raw_request"])
    """The names of the runs of our DAGs that no attempt may touch."""
    questions: list[str] = field(default_factory=lambda: ["question"])
    """The names of the questions that no attempt may answer."""

    def prepare(self) -> "Ground":
        """Bring the changes to where they are attacked."""
        acting = self.airflow.publish(self.watched("acting"))
        done = self.airflow.publish(ticket(self.folder / "done", watch="1s"))
        approved = self.airflow.publish({**ticket(self.folder / "approved"), "window": later()})
        request, waiting = self.airflow.ask({**ticket(self.folder / "waiting"), "window": later()})
        wait_for(lambda: self.airflow.bob.asks("request_change", request, "approve_1"), "the question")
        self.airflow.ends(done, self.airflow.run_of(done))
        run = self.airflow.run_of(acting)
        self.airflow.reaches(acting, run, "watch", "deferred")
        opens = changes.get(self.airflow.ledger, approved).opens.isoformat()
        runs = {
            "number": acting.removeprefix("CHG-"),
            "run": quote(run, safe=""),
            "request": quote(request, safe=""),
            "raw_run": run,
            "raw_request": request,
            "opens": opens,
            "question": self.question(request, "approve_1"),
        }
        self.names = {"acting": acting, "done": done, "approved": approved, "waiting": waiting, **runs}
        return self

    def question(self, run: str, task: str) -> str:
        """Return the id of the task that asks in a run."""
        where = f"run_id = '{run}' and task_id = '{task}'"
        with closing(read_only(self.airflow.place.database)) as database:
            return str(rows(database, "task_instance", "id", where)[0][0])

    def watched(self, name: str) -> dict[str, Any]:
        """Return a ticket whose watch lasts until the service is found bad at a path of its own."""
        patient = {**HEALTH, "tolerate": {"unreachable": 100}}  # this machine may be slow while it is attacked
        own = {**patient, "source": {**HEALTH["source"], "path": f"/attacked/{name}"}}
        now = datetime.now(UTC)
        opens = window(now - timedelta(seconds=1), now + timedelta(hours=3))
        of_name = {"validation": [own], "services": [name.replace("_", "-")], "window": opens}
        return ticket(self.folder / name, watch="1h", **of_name)

    def filled(self, value: Any) -> Any:
        """Return a path or a body with the names of this Airflow's changes and runs."""
        if isinstance(value, str):
            return string.Template(value).safe_substitute(self.names)
        return json.loads(string.Template(json.dumps(value)).safe_substitute(self.names))

    def token(self, who: str) -> str:
        """Return the token of a user."""
        return str(self.airflow.clients[who]._session.auth.token)

    def send(self, attempt: Attempt) -> tuple[int, str]:
        """Send what an attempt says, byte for byte; return status and text of the answer."""
        headers = {**JSON, **attempt.headers}
        if attempt.who != "nobody":
            headers.setdefault("Authorization", self.token(attempt.who))
        body = attempt.body
        sent = None if body is None else body if isinstance(body, bytes) else json.dumps(self.filled(body)).encode()
        with closing(http.client.HTTPConnection("127.0.0.1", self.airflow.place.port, timeout=60)) as connection:
            connection.request(attempt.method, self.filled(f"{attempt.below}{attempt.path}"), sent, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")

    def fails(self, attempt: Attempt) -> None:
        """Make sure that an attempt is answered as it must be, and has changed nothing that is guarded."""
        before = self.guarded()
        status, text = self.send(attempt)
        assert status in attempt.answers, f"{status}: {text[:500]}"
        assert attempt.says in text
        assert self.guarded() == before

    def guarded(self) -> dict[str, list[Any]]:
        """Return what no attempt may change: of the attacked changes, their approvals, and what all changes need."""
        place, attacked = self.airflow.place, [self.names[name] for name in self.attacked]
        numbers = ", ".join(change.removeprefix("CHG-") for change in attacked)
        dags = ", ".join(f"'{dag}'" for dag in attacked)
        own = ", ".join(f"'{dag}'" for dag in OWN_DAGS)
        runs, questions = (", ".join(f"'{self.names[name]}'" for name in part) for part in (self.runs, self.questions))
        state: dict[str, list[Any]] = {}
        with closing(read_only(place.database)) as airflow:
            for table, columns in OF_AIRFLOW.items():
                where = f"dag_id in ({dags})"
                where += f" or dag_id in ({own})" if table == "dag" else f" or run_id in ({runs})"
                state[table] = rows(airflow, table, columns, where)
            for table, columns in OF_EVERYBODY.items():
                asked = f"ti_id in ({questions})" if table == "hitl_detail" else "true"
                state[table] = rows(airflow, table, columns, asked)
        with closing(read_only(place.home / "ledger.db")) as ledger:
            for table, columns in OF_LEDGER.items():
                state[table] = rows(ledger, table, columns, f"number in ({numbers})")
        published = [self.airflow.bundle / f"{change}.json" for change in attacked]
        state["files"] = [path.read_bytes() if path.exists() else None for path in published]
        return state

    def verify(self) -> "subprocess.CompletedProcess[str]":
        """Run `changewindow verify --all`, as an auditor does."""
        return self.command("verify", "--all")

    def command(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run `changewindow` with the environment of this Airflow."""
        command = [sys.executable, "-m", "changewindow", *arguments]
        ran = subprocess.run(
            command,
            env={**self.airflow.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        with (self.folder / "terminal.txt").open("a") as terminal:
            terminal.write(ran.stdout + ran.stderr)
        return ran

    def is_well(self) -> bool:
        """Return whether every component answers."""
        return standalone.is_healthy(self.airflow.place)

    def log_in(self, who: str) -> Client:
        """Return a new session of a user."""
        place = self.airflow.place
        return Client(place.url, who, place.password(who)).log_in()


def later(hours: float = 5) -> dict[str, str]:
    """Return a window that opens later."""
    opens = datetime.now(UTC) + timedelta(hours=hours)
    return window(opens, opens + timedelta(hours=1))


def by_hand(**changed: str) -> dict[str, str]:
    """Return the form of what was done by hand some minutes ago."""
    ended = datetime.now(UTC) - timedelta(minutes=5)
    times = {"start": f"{ended - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}", "end": f"{ended:%Y-%m-%dT%H:%M:%SZ}"}
    return {"targets": "production/orders", "why": "It hung", "commands": "uptime", **times, **changed}


def read_only(database: Path) -> sqlite3.Connection:
    """Open a database of SQLite without being able to write."""
    return sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)


def rows(database: sqlite3.Connection, table: str, columns: str = "*", where: str = "true") -> list[Any]:
    """Return the rows of a table, in an order of their own."""
    statement = f"select {columns} from {table} where {where}"  # noqa: S608  it is made here
    return sorted(database.execute(statement).fetchall(), key=repr)
