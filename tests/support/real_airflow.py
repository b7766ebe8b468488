"""What tests on a real Airflow do again and again: publish a change, wait, click."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import requests
import yaml

from changewindow.changes.publication import publish
from changewindow.cli import standalone
from changewindow.cli.airflow_api import ENDED, Client, RestError, wait_for
from changewindow.ledger import approvals, changes, events, outbox
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.policy.sign_off import RequiredApproval
from changewindow.policy.standing import Intent
from demo.__main__ import POLICY
from support.recording_server import Reply, Request

PEER = (RequiredApproval("peer", 1, ("bob", "carol", "admin")),)
"""What the policy of the demo asks for a change of no high risk."""
STEP = str(Path(__file__).with_name("acting_program.py"))
USERS = {"alice": "user", "bob": "user", "carol": "user", "vera": "viewer", "admin": "admin"}
PROBE = f"probe_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
"""The connection to the probe; each worker of pytest has its own."""
LEASE = 15
"""Seconds for which a silence is asked on an Airflow of one worker; the usual four minutes would be waited for."""
HEALTH = {
    "name": "Health",
    "source": {"kind": "http", "connection": PROBE, "path": "/health", "read": "status"},
    "pass": {"equals": 200},
}


def copy_policy(folder: Path) -> Path:
    """Copy the policy of the demo, but only warn of connections that nobody has listed: each test makes its own."""
    shutil.copytree(POLICY, folder, dirs_exist_ok=True)
    listed = (POLICY / "connections.yaml").read_text().replace("unlisted: refuse", "unlisted: warn")
    (folder / "connections.yaml").write_text(f"{listed}  {PROBE}: {{services: [all], environments: [all]}}\n")
    return folder


def ticket(journal: Path, *, steps: int = 1, seconds: float = 0.1, watch: str = "3s", **changed: Any) -> dict[str, Any]:
    """Return a ticket whose steps write into a journal, with its window open now."""
    now = datetime.now(UTC)
    return {
        "summary": "Write into the journal",
        "services": [journal.stem.replace("_", "-")],
        "environment": "test",
        "type": "normal",
        "risk": "low",
        "owner": "alice",
        "reviewer": "bob",
        "window": window(now - timedelta(seconds=1), now + timedelta(minutes=30)),
        "steps": [
            {
                "name": f"step {number}",
                "kind": "command",
                "run": [sys.executable, "-S", STEP, str(journal), f"apply_{number}", str(seconds)],
                "undo": [sys.executable, "-S", STEP, str(journal), f"undo_{number}", "0.2"],
                "timeout": "2m",
            }
            for number in range(1, steps + 1)
        ],
        "rollback": {"estimate": "1m", "verify": [HEALTH], "within": "20s"},
        "watch": {"for": watch, "every": "1s"},
        "validation": [{**HEALTH, "tolerate": {"unreachable": 10}}],  # this machine may be slow
        **changed,
    }


def window(opens: datetime, closes: datetime) -> dict[str, str]:
    """Return a window as a ticket says it."""
    return {"start": f"{opens:%Y-%m-%d %H:%M:%S}", "end": f"{closes:%Y-%m-%d %H:%M:%S}", "zone": "UTC"}


HANGS = 60
"""Seconds: longer than anybody waits for Slack."""


@dataclass
class Probe:
    """A service whose health a test decides, and a Slack that keeps what it was sent."""

    status: int = 200
    bad: set[str] = field(default_factory=set)
    """Paths that answer 500."""
    sent: list[dict[str, Any]] = field(default_factory=list)
    """The messages as they stand there now, in the order in which they were posted."""
    url: str = ""
    slack_is_down: bool = False
    """Whether Slack takes what it gets, and never answers."""

    def reply(self, request: Request) -> Reply:
        """Answer a request, which may put its health; `/sent` is for workers whose messages come to this probe."""
        status, body = 200, None
        if request.method == "PUT":
            self.status = json.loads(request.body)["status"]
        elif request.method == "POST":
            is_json = request.headers.get("Content-Type", "").startswith("application/json")
            message = json.loads(request.body) if is_json and request.body else {}
            body = self._of_slack(request.path, message)
        elif request.path == "/sent":
            body = self.sent
        else:
            status = 500 if request.path in self.bad else self.status
            body = {"status": status}
        return Reply(status, json.dumps(body), {"Content-Type": "application/json"})

    def _of_slack(self, path: str, message: dict[str, Any]) -> dict[str, Any]:
        """Keep a message, or what has become of one."""
        if self.slack_is_down:
            time.sleep(HANGS)
        if path.endswith("chat.update"):
            self.sent[int(float(message["ts"])) - 1].update(message)
        elif path.endswith("chat.postMessage"):
            self.sent.append(message)
            message["ts"] = f"{len(self.sent)}.0"
        return {"ok": True, "messages": [], "ts": message.get("ts"), "channel": message.get("channel")}


@dataclass
class RealAirflow:
    """A running Airflow with its users, seen from a test."""

    place: standalone.Place
    process: psutil.Process
    clients: Mapping[str, Client]
    connections: Mapping[str, str]
    policy: Path
    """The folder of the policy, which a test may change."""

    @property
    def alice(self) -> Client:
        """Return the requester."""
        return self.clients["alice"]

    @property
    def bob(self) -> Client:
        """Return the approver."""
        return self.clients["bob"]

    @property
    def ledger(self) -> Ledger:
        """Return the ledger."""
        return Ledger(self.place.ledger)

    @property
    def bundle(self) -> Path:
        """Return the folder of published changes."""
        return self.place.home / "changes"

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of Airflow's processes."""
        return {**os.environ, **standalone.environment(self.place), **self.connections}

    def kill(self, component: str) -> int:
        """Kill the main process of a component, which its supervisor starts again; return the id of the session."""
        (leader,) = [child for child in self.process.children() if component in " ".join(child.cmdline())]
        leader.kill()
        return int(leader.pid)

    def posted(self) -> list[dict[str, Any]]:
        """Return all messages that Slack got, in order."""
        slack = json.loads(self.connections["AIRFLOW_CONN_SLACK_API_DEFAULT"])["extra"]["base_url"]
        sent: list[dict[str, Any]] = requests.get(slack.removesuffix("/api/") + "/sent", timeout=10).json()
        return sent

    def is_posted(self, *parts: str) -> str:
        """Return the text of the message with these parts, once Slack has it."""

        def text() -> str | None:
            texts = [each.get("text", "") for each in self.posted()]
            return next((text for text in texts if all(part in text for part in parts)), None)

        return wait_for(text, f"a message with {' and '.join(parts)}")

    def settled(self, change: str, head: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the message of a change once it begins so, and what stands in its thread once all is told."""

        def root() -> dict[str, Any] | None:
            of_change = [each for each in self.posted() if change in each.get("text", "") and "thread_ts" not in each]
            return next((each for each in of_change if each["text"].startswith(head)), None)

        card = wait_for(root, f"{head} of {change}")

        def thread() -> list[dict[str, Any]] | None:
            if not all(message.is_done for message in outbox.of_change(self.ledger, change)):
                return None
            return [each for each in self.posted() if each.get("thread_ts") == card["ts"]]

        return card, wait_for(thread, "the thread")

    def submit(self, data: dict[str, Any], *, approved: bool = True) -> str:
        """Put a ticket into the ledger, approved by bob if wanted; return the change."""
        now = datetime.now(UTC)
        submitted = changes.submit(self.ledger, data, requester="alice", now=now)
        if approved:
            stored = changes.get(self.ledger, submitted.change)
            in_time = min(now, stored.closes - timedelta(seconds=1))
            wanted = Intent("", submitted.digest, stored.opens, stored.closes, timedelta(0), approvals=PEER)
            approvals.decide(self.ledger, submitted.change, wanted, person="bob", is_yes=True, now=in_time)
        return submitted.change

    def publish(self, data: dict[str, Any], *, approved: bool = True) -> str:
        """Submit and publish a ticket; return the change once Airflow knows its DAG."""
        change = self.submit(data, approved=approved)
        self.write(change)
        wait_for(lambda: self.knows(change), f"the DAG {change}")
        return change

    def write(self, change: str) -> Path:
        """Write the file of a change into the bundle; return its path."""
        return publish(self.bundle, change, changes.revision(self.ledger, change), self.ledger.seal)

    def knows(self, change: str) -> bool:
        """Return whether Airflow knows the DAG of a change."""
        if not self._has("serialized_dag", change):
            return False
        try:
            return bool(self.alice.get(f"/dags/{change}"))
        except RestError:
            return False

    def asks(self, dag: str, run: str, task: str) -> bool:
        """Return whether a task waits for the answer of a person."""
        return self._stored(dag, run, task) in {"awaiting_input", "deferred"} and self.bob.asks(dag, run, task)

    def run_of(self, change: str) -> str:
        """Return the run of a change, once there is one."""
        runs = wait_for(lambda: self._has("dag_run", change) and self.alice.runs(change), f"a run of {change}")
        return str(runs[0]["dag_run_id"])

    def state(self, change: str, run: str, task: str) -> str | None:
        """Return the state of a task now."""
        state: str | None = self.alice.tasks(change, run).get(task, {}).get("state")
        return state

    def _stored(self, dag: str, run: str, task: str = "") -> str | None:
        """Return the state of a run, or of its task."""
        if not self.place.database.exists():  # it is on a server
            return self.state(dag, run, task) if task else str(self.alice.run(dag, run)["state"])
        table, named = ("task_instance", "AND task_id = ?") if task else ("dag_run", "")
        asked = f"SELECT state FROM {table} WHERE dag_id = ? AND run_id = ? {named}"  # noqa: S608  all of it is ours
        return self._first(asked, dag, run, *([task] if task else []))

    def _has(self, table: str, dag: str) -> bool:
        """Return whether there may be something of a DAG in a table; where nothing can tell, the API is asked."""
        if not self.place.database.exists():
            return True
        return bool(self._first(f"SELECT 1 FROM {table} WHERE dag_id = ?", dag))  # noqa: S608  all of it is ours

    def _first(self, asked: str, *values: str) -> Any:
        """Return the first value of a row, if there is one, from where the API has it too.

        Tests that wait side by side ask three times a second each, and would keep the API server as busy as tasks do.
        """
        with closing(sqlite3.connect(f"file:{self.place.database}?mode=ro", uri=True, timeout=60)) as database:
            row = database.execute(asked, values).fetchone()
        return row[0] if row else None

    def reaches(self, change: str, run: str, task: str, *states: str, seconds: float = 120) -> str:
        """Wait until a task is in one of the states; return it."""
        waited_for = f"{change} {task} to be {' or '.join(states)}"
        return wait_for(lambda: (s := self._stored(change, run, task)) in states and s, waited_for, seconds) or ""

    def ends(self, change: str, run: str, seconds: float = 180) -> tuple[str, str]:
        """Wait until a run has ended; return its state and the outcome of the change in the ledger."""
        wait_for(lambda: self._stored(change, run) in ENDED, f"the end of {run} of {change}", seconds)
        return self.alice.run(change, run)["state"], changes.get(self.ledger, change).status

    def mark_run(self, change: str, run: str, state: str) -> None:
        """Mark a run as a person does in the UI."""
        self.alice.patch(f"/dags/{change}/dagRuns/{run}", {"state": state})

    def mark_task(self, change: str, run: str, task: str, state: str) -> None:
        """Mark a task as a person does in the UI."""
        self.alice.patch(f"/dags/{change}/dagRuns/{run}/taskInstances/{task}", {"new_state": state})

    def clear(self, change: str, run: str, *tasks: str, downstream: bool = True) -> None:
        """Clear tasks as a person does in the UI."""
        wanted = {"dag_run_id": run, "task_ids": list(tasks), "dry_run": False, "include_downstream": downstream}
        body = {**wanted, "only_failed": False, "reset_dag_runs": True}
        self.alice.post(f"/dags/{change}/clearTaskInstances", body)

    def ask(self, data: dict[str, Any] | None = None, *, user: str = "alice", **conf: Any) -> tuple[str, str]:
        """Ask for a change by REST; return the run of `request_change` and the change."""
        given = {"ticket": json.dumps(data)} if data else {}
        run = self.clients[user].trigger("request_change", {**given, **conf})
        return run, wait_for(lambda: self.alice.xcom("request_change", run, "check"), "the check")["change"]

    def answer(self, user: str, run: str, option: str, *, dag: str = "request_change", task: str = "approve_1") -> None:
        """Answer an approval as a person does, who needs a moment."""
        wait_for(lambda: self.asks(dag, run, task), f"{task} in {run}")
        time.sleep(
            2.5
        )  # Airflow 3.3.2 fails a task that is answered while it is being parked; nothing shows when it is
        self.clients[user].answer(dag, run, task, options=[option])

    def why_refused(
        self, user: str, run: str, option: str, *, dag: str = "request_change", task: str = "approve_1"
    ) -> str:
        """Answer and return why Airflow refuses it, or nothing."""
        try:
            self.clients[user].answer(dag, run, task, options=[option])
        except RestError as error:
            return str(error)
        return ""

    def request_ends(self, run: str, dag: str = "request_change") -> str:
        """Wait until a request has ended; return its state."""
        wait_for(lambda: self._stored(dag, run) in ENDED, f"the end of {run} of {dag}")
        return str(self.bob.run(dag, run)["state"])

    def does(self, dag: str, user: str = "bob", **conf: Any) -> str:
        """Run one of the DAGs by which people intervene; return its run once it has ended."""
        run = self.clients[user].trigger(dag, conf)
        self.request_ends(run, dag)
        return run

    def freeze(self, service: str, *, begins: timedelta = timedelta(0)) -> None:
        """Add a freeze of a service to the calendar."""
        start = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=1) + begins
        freeze = {
            "name": f"freeze of {service}",
            "services": [service],
            "start": f"{start:%Y-%m-%d %H:%M}",
            "end": f"{start + timedelta(hours=2):%Y-%m-%d %H:%M}",
        }
        calendar = yaml.safe_load((self.policy / "calendar.yaml").read_text())
        calendar["freezes"] = [*calendar.get("freezes", []), freeze]
        self._replace_calendar(json.dumps(calendar))

    def thaw(self) -> None:
        """Let the calendar say what it says in the demo."""
        self._replace_calendar((POLICY / "calendar.yaml").read_text())

    def _replace_calendar(self, text: str) -> None:
        """Replace it at once: changes of other tests are judged by it meanwhile."""
        partial = self.policy / "calendar.partial"
        partial.write_text(text)
        partial.replace(self.policy / "calendar.yaml")

    def restore_policy(self) -> None:
        """Let the policy say what it says in the demo."""
        copy_policy(self.policy)

    def kinds(self, change: str) -> list[str]:
        """Return the kinds of the events of a change, after checking their chain; people are told whenever that is."""
        events.verify(self.ledger, change)
        kinds = [event.kind for event in events.history(self.ledger, change)]
        return [kind for kind in kinds if kind not in {EventKind.MESSAGE_SENT, EventKind.MESSAGE_FAILED}]


def git(folder: Path, *arguments: str, who: str = "alice") -> None:
    """Run git as somebody."""
    names = {f"GIT_{role}_NAME": who for role in ("AUTHOR", "COMMITTER")}
    mails = {f"GIT_{role}_EMAIL": f"{who}@example.com" for role in ("AUTHOR", "COMMITTER")}
    subprocess.run(["git", *arguments], cwd=folder, env={**os.environ, **names, **mails}, check=True)


def acts(journal: Path) -> list[str]:
    """Return who acted, in order, each once per time they had the floor."""
    names = [line.split()[1] for line in journal.read_text().splitlines()] if journal.exists() else []
    return [name for place, name in enumerate(names) if place == 0 or names[place - 1] != name]
