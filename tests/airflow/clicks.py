"""Whatever a person clicks, at each stage of a change: the outcome is true, and what was applied is undone.

A row is one change that is brought to a stage, and clicked on there by carol. The stages are held open: the preflight
by a check that is bad, the gate by a source that takes long, a step and its undo by programs that ignore SIGTERM, and
`close` by an undo of its own.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from changewindow.cli.airflow_api import ENDED, Client, RestError, wait_for
from changewindow.ledger import changes, events, leases
from support.real_airflow import HEALTH, Probe, RealAirflow, acts, ticket

GOOD = {"completed"}
BACK = {"rolled_back"}
NOTHING = {"cancelled", "refused"}
"""Nothing was touched."""
TASKS = {
    "preflight": "check_1",
    "gate": "gate",
    "apply": "apply_2",
    "watch": "watch",
    "undo": "undo_2",
    "close": "close",
}
ACTIONS = ("run failed", "run success", "task failed", "task success", "task skipped", "clear one", "clear all")
ACTIONS += ("delete the run", "pause", "remove the file")
ANY_END = dict.fromkeys(("apply", "watch", "undo", "close"), BACK)
WANTED: dict[str, dict[str, set[str]]] = {
    "run failed": {"preflight": NOTHING, "gate": NOTHING, **ANY_END},
    "run success": {"preflight": NOTHING, "gate": NOTHING, **ANY_END},
    "task failed": {"preflight": NOTHING, "gate": NOTHING, **ANY_END},
    "task success": {"preflight": NOTHING, "gate": NOTHING | GOOD, **ANY_END},
    "task skipped": {"preflight": NOTHING, "gate": NOTHING, **ANY_END},
    "clear one": {"preflight": GOOD, "gate": GOOD, **ANY_END, "watch": GOOD},
    "clear all": {"preflight": GOOD, "gate": GOOD, **ANY_END},
    "delete the run": {"preflight": NOTHING, "gate": NOTHING, **ANY_END},
    "pause": {"preflight": GOOD, "gate": GOOD, **ANY_END, "apply": GOOD, "watch": GOOD},
    "remove the file": {"preflight": GOOD, "gate": GOOD, **ANY_END, "apply": GOOD, "watch": GOOD},
}
"""How a change may end, by what is clicked and when; a gate that is marked goes on till it is dead, and may say yes."""


@dataclass
class Row:
    """One change at one stage, and what is clicked."""

    airflow: RealAirflow
    probe: Probe
    folder: Path
    stage: str
    action: str

    @property
    def name(self) -> str:
        """Return what makes it another row than all others."""
        return f"{self.stage}_{self.action}".replace(" ", "_")

    @property
    def path(self) -> str:
        """Return what its conditions ask for."""
        return f"/clicked/{self.name}"

    @property
    def journal(self) -> Path:
        """Return where its steps write."""
        return self.folder / self.name

    def ticket(self) -> dict[str, Any]:
        """Return a ticket of two steps whose stage is held open."""
        data = ticket(self.journal, steps=2, watch="25s" if self.stage == "watch" else "6s")
        own = {**HEALTH, "source": {**HEALTH["source"], "path": self.path}}
        marker = self.folder / f"{self.name}.read"
        slow = f"test -e {marker} || {{ touch {marker}; sleep 8; }}; echo 1" if self.stage == "gate" else "echo 1"
        slowly = {"name": "slow", "source": {"kind": "command", "run": ["sh", "-c", slow]}, "pass": {"equals": 1}}
        data["validation"] = [own, {**slowly, "timeout": "12s", "new": self.stage != "gate"}]
        data["preflight"] = {"checks": [own], "within": "5m"}
        if self.stage == "apply":
            data["steps"][1]["run"][-1] = "10"
        if self.stage in {"undo", "close"}:
            data["steps"][1]["undo"][-1] = "8"
            data["watch"]["for"] = "5m"
        return data

    def play(self) -> list[str]:
        """Bring the change to its stage, click, and return what is wrong with how it ended."""
        if self.stage == "preflight":
            self.probe.bad.add(self.path)
        change = self.airflow.publish(self.ticket())
        run = self.airflow.run_of(change)
        self._reach(change, run)
        click(self, change, run)
        if self.action != "task success":  # what is marked good and is not must not pass
            self.probe.bad.discard(self.path)
        if self.stage in {"undo", "close"} and "undo_2" not in acts(self.journal):
            wait_for(lambda: "undo_2" in acts(self.journal), f"the undo of {change}", 240)
        outcome = self._ends(change)
        return [f"{self.name} ({change}): {lie}" for lie in self._lies(change, run, outcome)]

    def _reach(self, change: str, run: str) -> None:
        if self.stage == "preflight":
            self.airflow.reaches(change, run, "check_1", "deferred", seconds=300)
        elif self.stage == "gate":
            wait_for((self.folder / f"{self.name}.read").exists, f"the gate of {change}", 300, 0.1)
        elif self.stage == "apply":
            wait_for(lambda: acts(self.journal)[-1:] == ["apply_2"], f"the second step of {change}", 300, 0.1)
        else:
            self.airflow.reaches(change, run, "watch", "deferred", seconds=300)
        if self.stage == "undo":
            self.probe.bad.add(self.path)
            wait_for(lambda: acts(self.journal)[-1:] == ["undo_2"], f"the undo of {change}", 300, 0.1)
        if self.stage == "close":
            self.airflow.mark_run(change, run, "failed")
            wait_for(lambda: acts(self.journal)[-1:] == ["undo_2"], f"the close of {change}", 300, 0.1)

    def _ends(self, change: str) -> str:
        wanted = WANTED[self.action][self.stage]

        def ended() -> str:
            stored = changes.get(self.airflow.ledger, change)
            return stored.status if stored.closed_at or stored.status in wanted else ""

        return wait_for(ended, f"the end of {self.name} ({change})", 400, 0.5)

    def _lies(self, change: str, run: str, outcome: str) -> list[str]:
        history = events.history(self.airflow.ledger, change)
        events.verify(self.airflow.ledger, change)
        acted, lies = acts(self.journal), []
        if outcome not in WANTED[self.action][self.stage]:
            lies.append(f"it is {outcome}: {changes.get(self.airflow.ledger, change).reason}")
        applied = [act for act in acted if act.startswith("apply")]
        undone = [act.replace("undo", "apply") for act in acted if act.startswith("undo")]
        if outcome in GOOD and (applied != ["apply_1", "apply_2"] or undone):
            lies.append(f"completed, and what acted is {acted}")
        if outcome in BACK and sorted(set(applied)) != sorted(set(undone)):
            lies.append(f"rolled back, and what acted is {acted}")
        if outcome in NOTHING and acted:
            lies.append(f"{outcome}, and what acted is {acted}")
        if leases.leases(self.airflow.ledger, change):
            lies.append("its lease is kept")
        clicked = {event.actor for event in history if event.kind == "clicked"}
        if "carol" not in clicked and self.action != "remove the file":
            lies.append(f"nobody knows who clicked: {clicked}")
        return lies


def click(row: Row, change: str, run: str) -> None:
    """Do by REST, as carol, what a person does in the UI; housekeeping is for what is done to files."""
    carol, path = row.airflow.clients["carol"], f"/dags/{change}/dagRuns/{quote(run, safe='')}"
    what, _, state = row.action.partition(" ")
    task = f"{path}/taskInstances/{TASKS[row.stage]}"
    every = {"dag_run_id": run, "dry_run": False, "only_failed": False, "reset_dag_runs": True}
    do: dict[str, Callable[[], Any]] = {
        "run": lambda: carol.patch(path, {"state": state}),
        "task": lambda: carol.patch(task, {"new_state": state}),
        "clear": lambda: carol.post(
            f"/dags/{change}/clearTaskInstances",
            every if state == "all" else {**every, "task_ids": [TASKS[row.stage]], "include_downstream": True},
        ),
        "delete": lambda: delete(row, carol, change, run),
        "pause": lambda: pause(row, carol, change),
        "remove": (row.airflow.bundle / f"{change}.json").unlink,
    }
    do[what]()


def delete(row: Row, carol: Client, change: str, run: str) -> None:
    """Delete a run: Airflow refuses that while it is open, so it is marked failed first."""
    path = f"/dags/{change}/dagRuns/{quote(run, safe='')}"
    with pytest.raises(RestError, match="cannot be deleted in running state"):
        carol.delete(path)
    carol.patch(path, {"state": "failed"})
    wait_for(lambda: carol.run(change, run)["state"] in ENDED, f"the end of the run of {change}", 300)
    carol.delete(path)


def pause(row: Row, carol: Client, change: str) -> None:
    """Pause a change for a while; one that acts is not paused."""
    if changes.get(row.airflow.ledger, change).status == "running":
        with pytest.raises(RestError, match="abort_change"):
            carol.patch(f"/dags/{change}", {"is_paused": True})
        return
    carol.patch(f"/dags/{change}", {"is_paused": True})
    time.sleep(5)  # so long nothing of it may happen
    carol.patch(f"/dags/{change}", {"is_paused": False})


@pytest.mark.xdist_group("alone")
@pytest.mark.parametrize("stage", TASKS)
def test_whatever_is_clicked(airflow: RealAirflow, probe: Probe, tmp_path: Path, stage: str) -> None:
    """All that can be clicked at this stage, side by side, each on a change of its own."""
    rows = [Row(airflow, probe, tmp_path, stage, action) for action in ACTIONS]
    with ThreadPoolExecutor(len(rows)) as pool:
        played = [pool.submit(row.play) for row in rows]
        while not all(playing.done() for playing in played):
            airflow.does("housekeeping")  # as it comes by itself, only more often
            wait(played, timeout=10)
    wrong = [f"{row.name}: {end.exception()}" for row, end in zip(rows, played, strict=True) if end.exception()]
    wrong += [line for end in played if not end.exception() for line in end.result()]
    assert not wrong, "\n".join(wrong)
