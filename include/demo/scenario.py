"""Plays the demo's two changes as their people would: ask, approve, confirm, and wait for the outcome, over REST."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from changewindow.cli.airflow_api import ENDED, Client, RestError, wait_for

TICKETS = Path(__file__).resolve().parents[1] / "tickets"
LINE = re.compile(r"^(  (?:start|end): )\S+ \S+$", re.MULTILINE)
Report = Callable[[str, str, str], None]
"""Called with the ticket's name, the change and what is happening."""


@dataclass(frozen=True)
class Act:
    """A ticket of the demo and the outcome it must have."""

    ticket: str
    outcome: str


@dataclass(frozen=True)
class Played:
    """How an act ended."""

    act: Act
    change: str
    run: str
    outcome: str
    reason: str
    state: str
    page: str

    @property
    def is_as_expected(self) -> bool:
        """Return whether outcome and colour are right: only a completed change is green."""
        colour = "success" if self.act.outcome == "completed" else "failed"
        return self.outcome == self.act.outcome and self.state == colour


ACTS = (Act("release", "completed"), Act("max_idle", "rolled_back"))


def with_window(text: str, opens: datetime, closes: datetime) -> str:
    """Return a ticket's text with its window moved, as its author would type it; zone UTC."""
    times = iter((opens, closes))
    return LINE.sub(lambda line: f"{line[1]}{next(times).astimezone(UTC):%Y-%m-%d %H:%M:%S}", text, count=2)


def submit(requester: Client, text: str) -> str:
    """Ask for a change; return the run of `request_change`."""
    return requester.trigger("request_change", {"ticket": text})


def approve(approver: Client, run: str, option: str = "Approve") -> str:
    """Answer the approval of a request; return the change."""
    submitted = wait_for(lambda: _submitted(approver, run), "the ticket to be checked")
    wait_for(lambda: approver.asks("request_change", run, "approve_1"), "the approval to be asked for")
    _answer(approver, "request_change", run, task="approve_1", options=[option])
    return str(submitted["change"])


def confirm(owner: Client, change: str, run: str) -> bool:
    """Tick every item of a change's checklist, once it is asked for; return whether it was."""
    if not owner.asks(change, run, "confirm"):
        return False
    path = f"/dags/{change}/dagRuns/{run}/taskInstances/confirm/-1/hitlDetails"
    _answer(owner, change, run, task="confirm", options=owner.get(path)["options"])
    return True


def scheduled_run(client: Client, change: str) -> str:
    """Wait until a published change has its run; return its id."""

    def first() -> str | None:
        try:
            return next((run["dag_run_id"] for run in client.runs(change)), None)
        except RestError:
            return None

    return wait_for(first, f"the run of {change}")


def play(act: Act, requester: Client, approver: Client, report: Report, *, minutes: int = 30) -> Played:
    """Play one act from ticket to outcome."""
    now = datetime.now(UTC)
    text = with_window((TICKETS / f"{act.ticket}.yaml").read_text(), now, now + timedelta(minutes=minutes))
    report(act.ticket, "", f"{requester.user} submits the ticket")
    request = submit(requester, text)
    report(act.ticket, "", f"waiting for {approver.user}'s approval")
    change = approve(approver, request)
    report(act.ticket, change, f"approved by {approver.user}, publishing")
    run = scheduled_run(approver, change)
    seen = ""
    confirmed = False

    def ended() -> dict[str, Any] | None:
        nonlocal seen, confirmed
        confirmed = confirmed or confirm(requester, change, run)
        doing = _doing(approver, change, run)
        if doing and doing != seen:
            report(act.ticket, change, doing)
            seen = doing
        state = approver.run(change, run)
        return state if state["state"] in ENDED else None

    final = wait_for(ended, f"the end of {change}", seconds=300)
    closed = approver.xcom(change, run, "close", "outcome") or {"outcome": "unknown", "reason": ""}
    report(act.ticket, change, closed["outcome"])
    return Played(act, change, run, closed["outcome"], closed["reason"], final["state"], approver.page(change, run))


def _submitted(client: Client, run: str) -> dict[str, Any] | None:
    if client.run("request_change", run)["state"] in ENDED:
        raise RestError("check", run, client.log("request_change", run, "check"))
    checked: dict[str, Any] | None = client.xcom("request_change", run, "check")
    return checked


def _answer(client: Client, dag: str, run: str, *, task: str, options: list[str]) -> None:
    """Answer after a moment, as a person would: Airflow 3.3.2 fails a task answered while it is being parked."""
    parked = datetime.now(UTC)
    wait_for(lambda: datetime.now(UTC) - parked > timedelta(seconds=2), "the task to be parked")
    client.answer(dag, run, task, options=options)


def _doing(client: Client, change: str, run: str) -> str:
    tasks = client.tasks(change, run).values()
    busy = {"running", "deferred", "awaiting_input"}
    return ", ".join(sorted(f"{task['task_id']} {task['state']}" for task in tasks if task["state"] in busy))
