"""A question that names nobody is put to everybody who may see what it is about."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from airflow.models.base import Base
from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import delete, insert

from changewindow.cli.standalone import ROOT
from changewindow.flow.server.asked import Asked, Person, Refused
from changewindow.flow.server.facts import Known
from changewindow.flow.server.judge import judge
from changewindow.ledger import changes, emergencies
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import Declared
from changewindow.ledger.payloads.emergency import Skipped
from support.fab_users import fab_users
from support.tickets import banner

ROUTE = "/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}/hitlDetails"
NOW = datetime(2031, 3, 18, 14, 10, tzinfo=UTC)
OF_AIRFLOW = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
TABLES: list[type[Base]] = [HITLDetail, TaskInstance, DagRun]


@pytest.fixture
def _database() -> Iterator[None]:
    """Let there be Airflow's tables, and nothing in them afterwards."""
    with fab_users((), {}):
        yield
        with create_session() as session:
            for table in TABLES:
                session.execute(delete(table))


@pytest.fixture
def change(_database: None, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a change that a run of `request_change` has brought into the ledger."""
    known = {"conn_type": "sqlite", "host": ledger.url.database}
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps(known))
    return changes.submit(ledger, banner(), requester="alice", origin="request_change/run-1", now=NOW).change


def asks(dag: str, *people: str, **conf: Any) -> None:
    """Have a task of `run-1` ask these people, or everybody."""
    its = {"dag_id": dag, "run_id": "run-1"}
    run = {**its, "run_type": "manual", "run_after": NOW, "conf": conf, "triggered_by": "rest_api"}
    task = {"task_id": "approve", "map_index": -1, "try_number": 1, "pool": "x", "pool_slots": 1, "executor_config": {}}
    question = {"options": ["Yes"], "subject": "?", "multiple": False, "params": {}, "created_at": NOW}
    named = [{"id": name, "name": name} for name in people]
    with create_session() as session:
        key = uuid4()
        session.execute(insert(DagRun).values(**run))
        session.execute(insert(TaskInstance).values(id=key, **its, **task))
        session.execute(insert(HITLDetail).values(ti_id=key, assignees=named, **question))


def answered(dag: str, *sees: str, sees_dag: bool = True) -> str:
    """Return why somebody who sees these changes may not answer, or nothing."""
    person = Person("olga", may_see=lambda name: name in sees or (name == dag and sees_dag))
    parameters = {"dag_id": dag, "dag_run_id": "run-1", "task_id": "approve", "map_index": "-1"}
    body = json.dumps({"chosen_options": ["Yes"]}).encode()
    asked = Asked("PATCH", "/", ROUTE, parameters, body=body, person=person)
    try:
        judge(asked, Known())
    except Refused as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("dag", ["extend_window", "request_change"])
def test_who_does_not_see_the_change_is_not_asked(change: str, dag: str) -> None:
    """Whether its number stands in the form, or the run has made it."""
    asks(dag, **({"change": change} if dag == "extend_window" else {"ticket": "{}"}))
    assert f"no change {change}" in answered(dag)
    assert answered(dag, change) == ""


def test_who_is_named_answers_unseen(change: str) -> None:
    """As Airflow lets nobody else."""
    asks("extend_window", "olga", change=change)
    assert answered("extend_window") == ""


def test_a_question_about_no_change_is_airflows_affair(change: str) -> None:
    """Its task says itself that there is none."""
    asks("extend_window", change="CHG-x")
    assert answered("extend_window") == ""


def test_an_answer_does_not_wait_at_the_door_for_its_question(change: str) -> None:
    """It would be judged before there is anything to judge, and count once it is asked."""
    nothing = "extend_window: nothing is asked there now. See Required Actions for what is."
    assert answered("extend_window", change) == nothing
    asks("extend_window", change=change)
    assert answered("extend_window", change) == ""


def test_who_does_not_see_a_dag_hears_nothing_of_its_questions(change: str) -> None:
    """Airflow answers them, as it does for a DAG that there is not."""
    assert answered("extend_window", sees_dag=False) == ""


@pytest.mark.parametrize("dag", ["extend_window", "request_change"])
def test_whom_the_policy_names_answers_unseen_where_airflow_is_told_no_names(
    change: str, dag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under an auth manager that knows people by numbers; there is nothing yet that shows them the change."""
    monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", OF_AIRFLOW)
    shutil.copytree(ROOT / "include/policy", tmp_path / "policy")
    monkeypatch.setenv("CHANGEWINDOW_POLICY", str(tmp_path / "policy"))
    asks(dag, **({"change": change} if dag == "extend_window" else {}))
    assert f"no change {change}" in answered(dag)
    rules = "rules: [{name: r, levels: [{name: l, from: [leads]}]}]\n"
    approvals = tmp_path / "policy" / "approvals.yaml"
    approvals.write_text(f"groups: {{leads: [Olga]}}\n{rules}")
    assert answered(dag) == ""
    approvals.write_text("rules: nonsense")
    assert f"no change {change}" in answered(dag)


def test_whom_an_emergency_has_skipped_approves_afterwards_unseen(
    change: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those are not whom the policy asks beforehand."""
    monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", OF_AIRFLOW)
    skipped = (Skipped(code="nobody_approved", sentence="nobody has approved it", people=("olga",)),)
    told: dict[str, Any] = {"broken": "no orders", "commander": "carol", "agreed_at": NOW, "agreed_how": "by phone"}
    declared = Declared(**told, digest="", executor="erik", skipped=skipped, due=NOW)
    urgent = emergencies.declare(
        ledger, banner(), declared, person="alice", now=NOW, origin="emergency_change/1"
    ).change
    for dag, is_asked in (("extend_window", False), ("retroactive_approval", True)):
        asks(dag, change=urgent)
        assert (answered(dag) == "") is is_asked
