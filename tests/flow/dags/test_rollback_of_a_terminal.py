"""What a terminal has completed is published by housekeeping, and is rolled back later like any other change."""

import json
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, DownstreamTasksSkipped

from changewindow import settings
from changewindow.changes.direct_ingestion import Ingestion, folder_of, take_in_all
from changewindow.changes.emergency_direct import carry_out
from changewindow.flow.dag import published_dag
from changewindow.flow.dags.housekeeping import build_housekeeping_dag
from changewindow.ledger import changes, queries
from changewindow.ledger.database import Ledger
from changewindow.ledger.verification import verify_all
from changewindow.policy.emergencies import Emergencies
from support import direct
from support.task_instance import TaskInstance

BECAUSE = {"unwatched_because": "there is no metric"}


class Looking(TaskInstance):
    """The task of housekeeping, in an Airflow without any other run."""

    def get_dr_count(self, **_: Any) -> int:
        """Return how many runs are open."""
        return 0


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let Airflow read what is published as data."""
    monkeypatch.setenv("CHANGEWINDOW_PUBLISHED", str(tmp_path / "published"))
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([settings.BUNDLE]))
    return tmp_path / "published"


def completed(known: Ledger, folder: Path) -> str:
    """Carry an emergency out from a terminal while the ledger is down; take it in, and return its change."""
    shown = {"name": "Done", "source": {"kind": "command", "run": ["echo", "1"]}, "pass": {"equals": 1}}
    rollback = {"estimate": "1m", "within": "0s", "verify": [shown]}
    data = direct.data(folder / "acts", validation=[shown], rollback=rollback)
    book = direct.begun(folder_of(settings.read().spool), None, data)
    ending = carry_out(book, direct.hands())
    assert ending.outcome == "completed", ending
    book.journal.close()
    taken = take_in_all(Ingestion(known, direct.now, lambda *_: "", Emergencies()), folder_of(settings.read().spool))
    assert len(taken.news) == 1
    [change] = queries.of_ids(known, ["CHG-1001"])
    assert change.status == "completed"
    return change.id


def look_after() -> None:
    """Let housekeeping look."""
    context: Any = {"ti": Looking("look_after", dag="housekeeping"), "params": {}, "run_id": "run-1"}
    operator: Any = build_housekeeping_dag().get_task("look_after")
    assert operator.execute(context) == []


def roll_back(dag: DAG) -> None:
    """Run the tasks of the change in mode rollback, for bob, who might have approved it."""
    instance = TaskInstance(dag=dag.dag_id)
    dag_run = SimpleNamespace(triggering_user_name="bob", run_type="manual", data_interval_start=None)
    params = {"mode": "rollback", "reason": "it leaks memory"}
    for task in ("gate", "apply_1", "apply_2", "watch", "undo_2", "undo_1", "verify", "close"):
        instance.task_id, instance.task = task, dag.get_task(task)
        context: Any = {"ti": instance, "params": params, "run_id": "manual-1", "dag_run": dag_run}
        state = "success"
        try:
            with suppress(DownstreamTasksSkipped):
                instance.task.execute(context)
        except AirflowSkipException:
            state = "skipped"
        except AirflowFailException:
            assert task == "close"
        instance.states[task] = state


def test_it_is_rolled_back_by_its_own_run(known: Ledger, tmp_path: Path, published: Path) -> None:
    """Its file was never there before; what its steps have done is undone, in reverse, and the record is whole."""
    change = completed(known, tmp_path)
    assert not published.exists()
    look_after()
    assert direct.lines(tmp_path / "acts") == ["run-1", "run-2"]
    roll_back(published_dag(f"{change}.json"))
    assert direct.lines(tmp_path / "acts") == ["run-1", "run-2", "undo-2", "undo-1"]
    assert changes.get(known, change).status == "rolled_back"
    assert verify_all(known).altered == ()
