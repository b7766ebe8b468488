"""What is told of a click in Airflow."""

import json
from typing import Any

import pytest

from changewindow.changes.click_text import click_text
from changewindow.ledger.payloads import Clicked

DAG = "/api/v2/dags/CHG-1042"
RUN = f"{DAG}/dagRuns/manual__2026-11-27T03:14:17+00:00"
OF = "of run manual__2026-11-27T03:14:17+00:00"
TASK = f"{RUN}/taskInstances/apply_1"
TWO = [{"task_id": "apply_1", "new_state": "success"}, {"task_id": "watch", "new_state": "success"}]
RUNS = [{"dag_run_id": "r1", "state": "failed"}, {"dag_run_id": "r2"}]


@pytest.mark.parametrize(
    ("asked", "body", "text"),
    [
        (f"PATCH {TASK}", {"new_state": "success", "note": "…"}, f"marked task apply_1 {OF} as success"),
        (f"PATCH {TASK}/-1", {"new_state": "failed"}, f"marked task apply_1 {OF} as failed"),
        (f"PATCH {TASK}", {"note": "…"}, f"wrote a note on task apply_1 {OF}"),
        (f"DELETE {TASK}", {}, f"deleted task apply_1 {OF}"),
        (f"PATCH {TASK}/-1/hitlDetails", {"chosen_options": ["Keep it"]}, f"answered task apply_1 {OF} with Keep it"),
        (
            f"PATCH {RUN}/taskInstances",
            {"actions": [{"action": "update", "entities": TWO}]},
            "marked tasks apply_1, watch as success",
        ),
        (
            f"PATCH {RUN}/taskInstances",
            {"actions": [{"action": "delete", "entities": ["watch"]}]},
            "deleted tasks watch",
        ),
        (f"PATCH {RUN}/taskGroupInstances/steps", {"new_state": "skipped"}, f"marked task group steps {OF} as skipped"),
        (f"PATCH {RUN}", {"state": "failed"}, f"marked {OF[3:]} as failed"),
        (f"PATCH {RUN}", {"note": "…"}, f"wrote a note on {OF[3:]}"),
        (f"DELETE {RUN}", {}, f"deleted {OF[3:]}"),
        (f"POST {RUN}/clear", {"dry_run": False}, f"cleared {OF[3:]}"),
        (f"POST {RUN}/clear", {}, f"asked what clearing {OF[3:]} would do"),
        (f"PATCH {DAG}/dagRuns", {"actions": [{"action": "update", "entities": RUNS}]}, "marked runs r1, r2 as failed"),
        (f"POST {DAG}/clearDagRuns", {"dry_run": False, "dag_runs": RUNS}, "cleared runs r1, r2"),
        (
            f"POST {DAG}/clearTaskInstances",
            {"dry_run": False, "task_ids": ["undo_1", ["watch", 0]], "dag_run_id": "r1"},
            "cleared tasks undo_1, watch of run r1",
        ),
        (f"POST {DAG}/dagRuns", {"conf": {"mode": "rollback"}}, "triggered a run of it, with mode rollback"),
        (f"POST {DAG}/dagRuns", {"conf": {}}, "triggered a run of it"),
        (f"PATCH {DAG}", {"is_paused": True}, "paused its DAG"),
        (f"PATCH {DAG}", {"is_paused": False}, "unpaused its DAG"),
        (f"DELETE {DAG}", {}, "deleted its DAG with all runs"),
        (f"PUT {TASK}/state-store/a/b", {}, f"changed a/b in what task apply_1 {OF} has kept for a later try"),
        ("POST /api/v2/somethingNew", {}, "sent POST /api/v2/somethingNew to Airflow, which answered 200"),
        (f"PATCH {RUN}/taskInstances", {"actions": "…"}, "changed tasks"),
        (f"PATCH {TASK}", {"new_state": "{a}"}, f"marked task apply_1 {OF} as {{a}}"),
    ],
)
def test_a_click_is_told_as_what_it_did(asked: str, body: dict[str, Any], text: str) -> None:
    """Not as the request by which Airflow's pages did it."""
    method, _, path = asked.partition(" ")
    assert click_text(Clicked(method=method, path=path, body=json.dumps(body) if body else "", status=200)) == text


@pytest.mark.parametrize(
    ("status", "reason", "then"),
    [
        (409, "CHG-1042 acts now. Run abort_change.", "that was refused: CHG-1042 acts now. Run abort_change."),
        (409, "", "that was refused (status 409)"),
        (422, "", "that was refused (status 422)"),
        (500, "", "that failed (status 500)"),
    ],
)
def test_a_click_that_did_nothing_says_why(status: int, reason: str, then: str) -> None:
    """An auditor sees what somebody wanted, and that it did not happen."""
    click = Clicked(method="PATCH", path=TASK, body='{"new_state": "success"}', status=status, reason=reason)
    assert click_text(click) == f"tried to mark task apply_1 {OF} as success; {then}"


def test_a_click_of_an_earlier_version_is_told_too() -> None:
    """It has no reason, and its body may be cut."""
    stored = {
        "method": "POST",
        "path": f"{DAG}/clearTaskInstances",
        "body": '{"dry_run": false, "task_i',
        "status": 200,
    }
    assert click_text(Clicked.model_validate(stored)) == "cleared tasks"
