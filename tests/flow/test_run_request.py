"""Runs that our tasks ask for: what somebody has edited on its way triggers nothing."""

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, DagRunTriggerException

from changewindow.flow.run_request import RunRequest, run_request

CONTEXT: Any = {"run_id": "scheduled__1"}


@pytest.fixture
def asked() -> dict[str, Any]:
    """Return what housekeeping asks for."""
    return run_request(CONTEXT, "CHG-1042", "take_back_1", {"mode": "rollback", "reason": "its run died"})


def test_a_run_that_a_task_asked_for_is_triggered(asked: dict[str, Any]) -> None:
    """Airflow triggers it."""
    with pytest.raises(DagRunTriggerException):
        RunRequest(task_id="take_back", **asked).execute(CONTEXT)


@pytest.mark.parametrize(
    "edited",
    [
        {"trigger_dag_id": "stop_the_line"},
        {"conf": {"mode": "run"}},
        {"trigger_run_id": "scheduled__2"},
        {"seal": ""},
    ],
    ids=["another DAG", "other parameters", "another run", "no seal"],
)
def test_an_edited_request_triggers_nothing(asked: dict[str, Any], edited: dict[str, Any]) -> None:
    """Nor does one of another run."""
    with pytest.raises(AirflowFailException, match="somebody has edited its XCom"):
        RunRequest(task_id="take_back", **{**asked, **edited}).execute(CONTEXT)
    with pytest.raises(AirflowFailException, match="no task of this run has made it"):
        RunRequest(task_id="take_back", **asked).execute({**CONTEXT, "run_id": "scheduled__2"})
