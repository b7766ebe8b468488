"""The dry run that an approver reads: it looks, and nothing of the ticket's choosing runs for it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from changewindow.changes.handover import Shown
from changewindow.flow import airflow_connection
from changewindow.flow.dags.request import DryRun
from changewindow.flow.xcoms import leave
from changewindow.ledger import changes
from changewindow.ledger.database import Ledger
from support.started_programs import started_programs
from support.task_instance import TaskInstance
from support.tickets import banner

LISTED = "connections:\n  shop: {services: [orders], environments: [production]}\n"


def condition(name: str, source: dict[str, Any]) -> dict[str, Any]:
    """Return a condition as a ticket gives it."""
    return {"name": name, "source": source, "pass": {"equals": 200}}


def dry_run(ledger: Ledger, **changed: Any) -> str:
    """Ask for a change, and return what its dry run tells the approver."""
    submitted = changes.submit(ledger, banner(**changed), requester="alice", now=datetime.now(UTC))
    task_instance = TaskInstance(dag="request_change")
    context = cast("Any", {"ti": task_instance, "task_instance": task_instance, "run_id": "run", "params": {}})
    task_instance.task_id = "check"
    leave(context, Shown(change=submitted.change, digest=submitted.digest, summary="", plan="", warnings=""))
    task_instance.task_id = "dry_run"
    return DryRun(task_id="dry_run").execute(context).replace("\\", "")


@pytest.fixture
def listed(known: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Return the ledger, beside a policy that lists the connection of orders in production."""
    (tmp_path / "policy" / "connections.yaml").write_text(LISTED)
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps({"conn_type": "http", "host": "http://127.0.0.1:1"}))
    airflow_connection._own.cache_clear()
    return known


def test_no_program_of_the_ticket_runs_for_the_approver(listed: Ledger, tmp_path: Path) -> None:
    """Neither a condition's, nor a step's, nor what its repository holds; the approver reads why each was not tried."""
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = .\n")
    (tmp_path / "env.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    program = ["touch", str(tmp_path / "ran")]
    alembic = {"kind": "alembic", "connection": "shop", "migrations": {"folder": str(tmp_path)}}
    command = {"kind": "command", "run": program, "undo": "nothing", "environment": {"LD_PRELOAD": "x.so"}}
    with started_programs() as started:
        text = dry_run(
            listed,
            steps=[{"name": "Migrate", **alembic}, {"name": "Touch", **command}],
            validation=[condition("touched", {"kind": "command", "run": program, "read": "exit_code"})],
        )
    assert started == []
    assert not (tmp_path / "ran").exists()
    assert text.count("not tried before approval") == 3
    assert "touched: not tried before approval: it would start the ticket's program" in text


def test_a_connection_that_serves_others_is_not_used_for_the_approver(listed: Ledger) -> None:
    """A ticket for staging gets no answer by production's password; for production it is asked."""
    staging = dry_run(listed, environment="staging")
    assert "connection 'shop' serves orders in production, not orders in staging (http)" in staging
    assert "127.0.0.1:1/banner" not in staging
    assert "unreachable) http://127.0.0.1:1/banner" in dry_run(listed)


def test_the_approver_reads_where_connections_lead(listed: Ledger) -> None:
    """With whom they serve, and that one leads to us is said before anybody approves it."""
    assert "shop (http 127.0.0.1:1): serves orders in production; for http" in dry_run(listed)
    own = condition("own", {"kind": "http", "connection": "changewindow_ledger"})
    text = dry_run(listed, validation=[own])
    assert "changewindow_ledger: not listed in connections.yaml; it cannot be used" in text
    assert "own: not tried before approval: connection 'changewindow_ledger' is Change Windows' own" in text
