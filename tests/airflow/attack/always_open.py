"""The two DAGs of which a run is always open: whatever a user does to it, what it sends or begins comes, only later."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from changewindow.cli.airflow_api import ENDED, Client, RestError, wait_for
from changewindow.flow.own_dag import MESSAGES, WANTED
from changewindow.ledger import changes, events, presses
from support.attack import Ground, later
from support.real_airflow import RealAirflow, acts, ticket

WAITS = {MESSAGES: "send", WANTED: "wait"}
"""The task in which each of them waits."""
GATE = "/taskInstances/gate"
LATER = 90
"""Seconds within which it comes, when nobody attacks any more."""


@dataclass(frozen=True)
class Target:
    """One of the two, and mallory, who is no more than a user."""

    airflow: RealAirflow
    dag: str

    @property
    def mallory(self) -> Client:
        """Return who attacks."""
        return self.airflow.clients["mallory"]

    @property
    def task(self) -> str:
        """Return the task that waits."""
        return WAITS[self.dag]

    def open_run(self) -> str:
        """Return the id of the run that waits, once there is one."""

        def waiting() -> str | None:
            runs = [run["dag_run_id"] for run in self.mallory.runs(self.dag) if run["state"] not in ENDED]
            states = {run: self.mallory.tasks(self.dag, run).get(self.task, {}).get("state") for run in runs}
            return next((run for run, state in states.items() if state == "deferred"), None)

        return wait_for(waiting, f"an open run of {self.dag}", LATER)

    def path(self, rest: str = "") -> str:
        """Return the address of its open run, or of something in it."""
        return f"/dags/{self.dag}/dagRuns/{quote(self.open_run(), safe='')}{rest}"

    def mark(self, state: str, task: str = "") -> None:
        """Mark a task: the one that waits, without a word."""
        self.mallory.patch(self.path(f"/taskInstances/{task or self.task}"), {"new_state": state})

    def finish(self, state: str) -> None:
        """Mark its run."""
        self.mallory.patch(self.path(), {"state": state})

    def clear(self, *tasks: str, run: str = "", downstream: bool = False) -> None:
        """Clear tasks of a run: of the open one, without a word."""
        wanted = {"dag_run_id": run or self.open_run(), "task_ids": list(tasks), "include_downstream": downstream}
        body = {**wanted, "dry_run": False, "only_failed": False, "reset_dag_runs": True}
        self.mallory.post(f"/dags/{self.dag}/clearTaskInstances", body)

    def clear_runs(self) -> None:
        """Clear every run that has ended, and the open one."""
        self.finish("failed")
        for run in self.mallory.runs(self.dag):
            path = f"/dags/{self.dag}/dagRuns/{quote(run['dag_run_id'], safe='')}/clear"
            self.mallory.post(path, {"dry_run": False, "only_failed": False})

    def delete(self, *, is_open: bool) -> None:
        """Delete its run, as it is or once it has ended."""
        path = self.path()
        if not is_open:
            self.mallory.patch(path, {"state": "failed"})
        self.mallory.delete(path)

    def crowd(self) -> None:
        """Trigger ten runs more, of which one may be open at a time."""
        for _ in range(10):
            self.mallory.trigger(self.dag)

    def again_and_again(self) -> None:
        """Clear what waits for ten seconds, as often as it waits."""
        until = time.monotonic() + 10
        while time.monotonic() < until:
            self.clear(self.task)


ACTS: dict[str, Callable[[Target], None]] = {
    "its task is marked as a success": lambda it: it.mark("success"),
    "its task is marked as failed": lambda it: it.mark("failed"),
    "its task is marked as skipped": lambda it: it.mark("skipped"),
    "its run is marked as a success": lambda it: it.finish("success"),
    "its run is marked as failed": lambda it: it.finish("failed"),
    "its run is queued again": lambda it: it.finish("queued"),
    "its task is cleared": lambda it: it.clear(it.task),
    "its task is cleared with what follows": lambda it: it.clear(it.task, downstream=True),
    "its task is cleared again and again": Target.again_and_again,
    "all its runs are cleared": Target.clear_runs,
    "its run is deleted": lambda it: it.delete(is_open=False),
    "its run is deleted while it is open": lambda it: it.delete(is_open=True),
    "ten runs are triggered": Target.crowd,
}
OF_ROLLBACKS: dict[str, Callable[[Target], None]] = {
    **ACTS,
    "what it begins is marked as a success before": lambda it: it.mark("success", "take_back"),
    "what it begins is marked as skipped before": lambda it: it.mark("skipped", "take_back"),
    "what it begins is marked as failed before": lambda it: it.mark("failed", "take_back"),
    "what it begins is cleared": lambda it: it.clear("take_back"),
}

RUNS: dict[str, Callable[[Client, str], Any]] = {
    "the run is marked as failed": lambda mallory, run: mallory.patch(run, {"state": "failed"}),
    "the run is marked as a success": lambda mallory, run: mallory.patch(run, {"state": "success"}),
    "the run is deleted": lambda mallory, run: mallory.delete(run),
    "its gate is marked as a success": lambda mallory, run: mallory.patch(f"{run}{GATE}", {"new_state": "success"}),
    "its gate is marked as failed": lambda mallory, run: mallory.patch(f"{run}{GATE}", {"new_state": "failed"}),
    "its gate is marked as skipped": lambda mallory, run: mallory.patch(f"{run}{GATE}", {"new_state": "skipped"}),
}
"""What is done to the run that rolls a change back."""


@pytest.mark.parametrize("name", ACTS)
def test_a_message_comes_later_whatever_is_done_to_what_sends_it(ground: Ground, name: str) -> None:
    """None is lost."""
    with suppress(RestError):  # then nothing has changed
        ACTS[name](Target(ground.airflow, MESSAGES))
    change = ground.airflow.submit({**ticket(ground.folder / "told"), "window": later()}, approved=False)
    wait_for(lambda: any(change in body.get("text", "") for body in ground.airflow.posted()), change, LATER)


@pytest.fixture(scope="module")
def completed(ground: Ground) -> dict[str, str]:
    """Complete a change for each way to be in the way of its rollback."""
    names = [*OF_ROLLBACKS, *RUNS]
    made = {name: ground.airflow.publish(ticket(journal(ground, name), watch="1s")) for name in names}
    for change in made.values():
        assert ground.airflow.ends(change, ground.airflow.run_of(change)) == ("success", "completed")
    return made


def journal(ground: Ground, name: str) -> Path:
    """Return where the steps of the change of a row write."""
    return ground.folder / name.replace(" ", "_")


def want_rollback(airflow: RealAirflow, change: str) -> str:
    """Want a change to be rolled back, as carol does by a click in Slack; return the run that is to do it."""
    with airflow.ledger.transaction() as session:
        row = events.locked(session, change)
        presses.want_rollback_in(session, row, "carol", "a click in Slack", now=datetime.now(UTC))
    wanted = presses.wanted_rollback(airflow.ledger, change)
    assert wanted is not None
    return wanted.run


def is_rolled_back(ground: Ground, name: str, change: str) -> bool:
    """Return whether a change is rolled back, by its own undo and once."""
    return changes.get(ground.airflow.ledger, change).status == "rolled_back" and acts(journal(ground, name)) == [
        "apply_1",
        "undo_1",
    ]


@pytest.mark.parametrize("name", OF_ROLLBACKS)
def test_a_wanted_rollback_comes_later_whatever_is_done_to_what_begins_it(
    ground: Ground, completed: dict[str, str], name: str
) -> None:
    """None is lost, and none happens twice."""
    with suppress(RestError):  # then nothing has changed
        OF_ROLLBACKS[name](Target(ground.airflow, WANTED))
    change = completed[name]
    want_rollback(ground.airflow, change)
    wait_for(lambda: is_rolled_back(ground, name, change), f"the rollback of {change}", 2 * LATER)


@pytest.mark.parametrize("name", RUNS)
def test_a_wanted_rollback_is_never_lost_unnoticed(ground: Ground, completed: dict[str, str], name: str) -> None:
    """Whatever is done to its run before its gate: it comes, or its room hears that it does not, and it comes later."""
    airflow, change = ground.airflow, completed[name]
    run = want_rollback(airflow, change)
    mallory, path = airflow.clients["mallory"], f"/dags/{change}/dagRuns/{run}"
    wait_for(lambda: len(mallory.runs(change)) > 1, run, LATER, every=0.05)
    with suppress(RestError):
        RUNS[name](mallory, path)

    def is_known() -> bool:
        return is_rolled_back(ground, name, change) or presses.wanted_rollback(airflow.ledger, change) is None

    wait_for(is_known, f"the rollback of {change}, or a word of it", 2 * LATER)
    if not is_rolled_back(ground, name, change) and changes.get(airflow.ledger, change).status == "completed":
        airflow.is_posted(change, "is NOT rolled back, as carol had asked")
        want_rollback(airflow, change)
    wait_for(lambda: is_rolled_back(ground, name, change), f"the rollback of {change}", 2 * LATER)
