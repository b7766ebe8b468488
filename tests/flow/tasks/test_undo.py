"""Undoing a step when what it remembered cannot be read."""

import json
from pathlib import Path

import pytest

from changewindow.errors import MemoryUnknown
from changewindow.flow.runtime import Run
from changewindow.flow.tasks.undo import Undo
from changewindow.ledger.database import Ledger
from changewindow.ledger.spool import Spool
from changewindow.ticket.plan import plan
from changewindow.ticket.revision import PublishedChange
from support.task_instance import TaskInstance
from support.tickets import banner


def undo(folder: Path, **states: str) -> None:
    """Undo the only step of a change while the ledger is down; undoing it leaves a file."""
    step = {"name": "Act", "kind": "command", "run": ["true"], "undo": ["touch", str(folder / "undone")]}
    change = PublishedChange("CHG-1042", json.dumps(banner(steps=[step])))
    run = Run(change, {"run_id": "run", "ti": TaskInstance("undo_1", states), "params": {"mode": "run"}})  # type: ignore[typeddict-item]
    down = Ledger(f"sqlite:///{folder}/no/such/folder/ledger.db")
    run.__dict__.update(ledger=down, spool=Spool(down, folder / "spool.jsonl"))
    node = next(node for node in plan(change.ticket) if node.role == "undo")
    Undo(task_id="undo_1", change=change, node=node).do(run)


def test_what_cannot_be_read_is_not_taken_for_nothing_to_undo(tmp_path: Path) -> None:
    """With the XCom gone and the ledger down, nobody knows whether the step acted: undo fails, and is tried again."""
    with pytest.raises(MemoryUnknown, match="not known whether step 1 has acted"):
        undo(tmp_path, apply_1="success")


def test_a_step_that_airflow_never_ran_needs_no_undo(tmp_path: Path) -> None:
    """Undo does not depend on the ledger where Airflow itself can say that nothing was done."""
    undo(tmp_path, apply_1="upstream_failed")
    assert not (tmp_path / "undone").exists()
