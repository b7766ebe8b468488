"""Somebody writes into Airflow's own database what its tasks have left for each other: it decides nothing."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from changewindow.ledger import changes
from support.real_airflow import Probe, RealAirflow, acts, ticket

GOOD = {"version": 1, "route": "succeed", "reason": "all good"}


def write(airflow: RealAirflow, statement: str, *values: str) -> int:
    """Write into Airflow's database, past every API; return how many rows were changed."""
    with closing(sqlite3.connect(airflow.place.database, timeout=60)) as database, database:
        return database.execute(statement, values).rowcount


def edit(airflow: RealAirflow, xcom: tuple[str, str, str, str], value: object) -> None:
    """Edit an XCom as its row; one that a seal was copied into keeps it."""
    edited = write(
        airflow,
        "UPDATE xcom SET value = json_patch(value, ?) WHERE dag_id = ? AND run_id = ? AND task_id = ? AND key = ?",
        json.dumps(value),
        *xcom,
    )
    assert edited == 1


def test_an_edited_decision_and_succeed_marked_green_record_nothing_as_completed(
    airflow: RealAirflow, probe: Probe, tmp_path: Path
) -> None:
    """The change is undone, with the reason that the watch had, and all of its steps are."""
    data = ticket(tmp_path / "edited_decision", steps=2, watch="2m")
    data["steps"][1]["undo"][-1] = "6"
    change = airflow.publish(data)
    run = airflow.run_of(change)
    airflow.reaches(change, run, "watch", "deferred")
    probe.status = 500
    airflow.reaches(change, run, "undo_2", "running")
    edit(airflow, (change, run, "watch", "decision"), GOOD)
    succeed = "UPDATE task_instance SET state = 'success' WHERE dag_id = ? AND run_id = ? AND task_id = 'succeed'"
    assert write(airflow, succeed, change, run) == 1
    probe.status = 200
    assert airflow.ends(change, run) == ("failed", "rolled_back")
    assert acts(tmp_path / "edited_decision") == ["apply_1", "apply_2", "undo_2", "undo_1"]
    assert "500" in changes.get(airflow.ledger, change).reason
    assert "somebody has edited it" in airflow.alice.log(change, run, "close")


def test_an_edited_check_approves_no_text_that_was_not_shown(airflow: RealAirflow, tmp_path: Path) -> None:
    """The question shows the ledger's plan; once `check` is edited, no answer to it counts."""
    run, change = airflow.ask(ticket(tmp_path / "edited_check"))
    airflow.reaches("request_change", run, "approve_1", "awaiting_input", "deferred")
    question = f"/dags/request_change/dagRuns/{run}/taskInstances/approve_1/-1/hitlDetails"
    assert "Write into the journal" in airflow.alice.get(question)["body"]
    edit(airflow, ("request_change", run, "check", "return_value"), {"plan": "harmless", "digest": "0" * 64})
    airflow.answer("bob", run, "Approve")
    assert airflow.request_ends(run) == "failed"
    assert changes.get(airflow.ledger, change).status == "submitted"
    assert "The XCom of `check` is refused" in airflow.alice.log("request_change", run, "approve_1")
