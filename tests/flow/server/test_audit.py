"""What the ledger keeps of what people do by hand."""

import json
from pathlib import Path

import pytest

from changewindow.flow.server import audit
from changewindow.flow.server.asked import Asked, Person
from changewindow.ledger import events
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import Clicked
from changewindow.ledger.spool import Spool
from support.changes import approved
from support.tickets import banner

DAG = "/api/v2/dags/{dag_id}"
TASK = f"{DAG}/dagRuns/{{dag_run_id}}/taskInstances/{{task_id}}"
BULK = f"{DAG}/dagRuns/{{dag_run_id}}/taskInstances"


@pytest.fixture
def known_ledger(tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let Airflow know the ledger; return the file of its spool."""
    fields = {"conn_type": "sqlite", "host": str(ledger.url.database)}
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps(fields))
    monkeypatch.setenv("CHANGEWINDOW_SPOOL", str(tmp_path / "spool.jsonl"))
    return tmp_path / "spool.jsonl"


@pytest.mark.parametrize(
    ("route", "dag", "body", "changes"),
    [
        pytest.param(TASK, "CHG-1042", "{}", ("CHG-1042",), id="a task of a change"),
        pytest.param(
            BULK,
            "~",
            '{"actions": [{"entities": [{"dag_id": "CHG-1"}, {"dag_id": "CHG-2"}]}]}',
            ("CHG-1", "CHG-2"),
            id="tasks of two changes at once",
        ),
        pytest.param("/api/v2/backfills", "", '{"dag_id": "CHG-7"}', ("CHG-7",), id="a backfill"),
        pytest.param(f"{DAG}/dagRuns", "request_change", '{"conf": {"change": "CHG-3"}}', (), id="another run"),
        pytest.param(f"{DAG}/clearTaskInstances", "CHG-4", "not JSON", ("CHG-4",), id="garbage"),
        pytest.param("/api/v2/pools", "", "[]", (), id="no change at all"),
        pytest.param("/api/v2/connections", "", '{"description": "for CHG-1003", "password": "x"}', (), id="a mention"),
        pytest.param(TASK, "CHG-99999999999999999999", "{}", (), id="a number that no ledger has"),
        pytest.param(TASK, "CHG-01042", "{}", (), id="a number with a zero before it"),
        pytest.param(TASK, "CHG-\uff11\uff10", "{}", ("CHG-10",), id="digits that some databases hold for the same"),
    ],
)
def test_what_a_request_is_about(route: str, dag: str, body: str, changes: tuple[str, ...]) -> None:
    """The changes it acts on."""
    parameters = {"dag_id": dag} if dag else {}
    assert Asked("PATCH", route, route, parameters, body=body.encode()).changes == changes


def test_what_would_be_cleared_is_only_asked() -> None:
    """The door records nothing of it."""
    assert Asked("POST", "", f"{DAG}/clearTaskInstances", {"dag_id": "CHG-4"}, body=b'{"dry_run": true}').is_dry


def test_what_was_done_is_kept_and_what_was_entered_is_not(ledger: Ledger, known_ledger: Path) -> None:
    """By whom, and with which answer; one look at the ledger says which of the changes it knows."""
    first, second = (approved(ledger, banner()).change for _ in range(2))
    entities = [{"dag_id": change, "task_id": "watch", "note": "hunter2"} for change in (first, second, "CHG-77")]
    body = {"actions": [{"action": "update", "entities": entities, "new_state": "success"}], "conf": {"x": "hunter2"}}
    audit.record(
        Asked("PATCH", "/p", BULK, {"dag_id": "~"}, body=json.dumps(body).encode(), person=Person("carol")), 200
    )
    for change in (first, second):
        event = events.history(ledger, change)[-1]
        clicked = events.payload(event)
        assert isinstance(clicked, Clicked)
        assert (event.actor, clicked.method, clicked.path, clicked.status) == ("carol", "PATCH", "/p", 200)
        kept = json.loads(clicked.body)["actions"][0]
        assert (kept["action"], kept["new_state"], kept["entities"][0]["note"]) == ("update", "success", "…")
        assert "hunter2" not in clicked.body
    assert not known_ledger.exists()


def test_a_click_waits_while_the_ledger_is_down(
    ledger: Ledger, known_ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written when the ledger is back."""
    change = approved(ledger, banner()).change
    gone = {"conn_type": "sqlite", "host": "/nowhere/ledger.db"}
    with monkeypatch.context() as down:
        down.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps(gone))
        audit.record(Asked("DELETE", "/p", DAG, {"dag_id": change}, person=Person("carol")), 409)
    assert Spool(ledger, known_ledger).drain() == 1
    assert events.history(ledger, change)[-1].actor == "carol"
