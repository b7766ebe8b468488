"""A change whose run has passed its gate, with a real ledger and files to act on, as the tasks of its DAG see it."""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import DownstreamTasksSkipped

from changewindow.changes.handover import Fact, Passed
from changewindow.flow.dag import build_dag
from changewindow.flow.runtime import Run
from changewindow.ledger import approvals, changes, events, leases, payloads
from changewindow.ledger.database import Ledger
from changewindow.policy.gate import Intent
from changewindow.policy.sign_off import RequiredApproval
from changewindow.ticket.revision import PublishedChange
from support.task_instance import TaskInstance
from support.tickets import banner

RUN = "run"
"""The id of the run."""


class StartedChange:
    """A change of two steps whose run holds it; undoing a step leaves a file."""

    def __init__(self, folder: Path, ledger: Ledger, **changed: Any) -> None:
        self.folder, self.ledger = folder, ledger
        now = datetime.now(UTC)
        opens, closes = (f"{now + timedelta(minutes=minutes):%Y-%m-%d %H:%M}" for minutes in (-1, 60))
        steps = [
            {"name": f"Act {step}", "kind": "command", "run": ["true"], "undo": ["touch", str(self.undone(step))]}
            for step in (1, 2)
        ]
        (folder / "health").write_text("1")
        source = {"kind": "command", "run": ["cat", str(folder / "health")]}
        condition = {"name": "health", "source": source, "pass": {"equals": 1}}
        data = banner(
            window={"start": opens, "end": closes, "zone": "UTC"},
            steps=steps,
            validation=[condition],
            rollback={"estimate": "1m", "within": "0s", "verify": [condition]},
            **changed,
        )
        submitted = changes.submit(ledger, data, requester="alice", now=now)
        self.change = PublishedChange.of(submitted.change, data)
        ticket = self.change.ticket
        intent = Intent(RUN, submitted.digest, ticket.window.opens, ticket.window.closes, ticket.needs, approvals=())
        wanted = replace(intent, approvals=(RequiredApproval("peer", 1),))
        approvals.decide(ledger, self.change.id, wanted, person="bob", is_yes=True, now=now)
        leases.start(ledger, self.change.id, intent, targets=ticket.targets, now=now)
        self.dag = build_dag(self.change.id, json.dumps(data))
        self.task_instance = TaskInstance(dag=self.change.id)
        self.hand_over("gate", Passed(token=1, digest=self.change.digest))

    def undone(self, step: int) -> Path:
        """Return the file that the undo of a step leaves."""
        return self.folder / f"undone-{step}"

    def apply(self, step: int) -> None:
        """Let the ledger know that a step was applied."""
        for payload in (
            payloads.Remembered(step=step, name="Act", remembered={}),
            payloads.Applied(step=step, name="Act"),
        ):
            self.run("apply").record(payload)
        self.task_instance.states[f"apply_{step}"] = "success"

    def run(self, task: str, mode: str = "run") -> Run:
        """Return the run as one of its tasks sees it."""
        self.task_instance.task_id = task
        self.task_instance.task = self.dag.get_task(task) if task in self.dag.task_ids else None
        context: Any = {"run_id": RUN, "ti": self.task_instance, "params": {"mode": mode}}
        return Run(self.change, context)

    def do(self, task: str, mode: str = "run") -> None:
        """Do a task, as Airflow does."""
        run = self.run(task, mode)
        operator: Any = self.dag.get_task(task)
        with suppress(DownstreamTasksSkipped):
            operator.execute(run.context)

    def hand_over(self, task: str, fact: Fact) -> None:
        """Leave what a task hands over."""
        self.run(task).hand_over(fact)

    def left(self, task: str, fact: type[Fact]) -> Any:
        """Return what a task has handed over."""
        return self.run(task).handed(fact, task)

    def kinds(self) -> list[str]:
        """Return the kinds of events that the ledger has, oldest first."""
        return [str(row.kind) for row in events.history(self.ledger, self.change.id)]

    @property
    def status(self) -> str:
        """Return the status of the change."""
        return changes.get(self.ledger, self.change.id).status

    def lose_the_ledger(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let no task reach the ledger any more."""
        gone = {"conn_type": "sqlite", "host": str(self.folder / "no" / "ledger.db")}
        monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps(gone))
