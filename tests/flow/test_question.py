"""What a ticket says is data: Airflow renders none of it."""

import importlib.util
import json
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import TaskAwaitingInput

from changewindow.cli.standalone import ROOT
from changewindow.flow import question
from changewindow.flow.dag import build_dag
from changewindow.flow.question import Question
from changewindow.policy.review import load_file
from support.tickets import FACTS, banner

EVIL = "{{ conn.changewindow_ledger.password }}"


def dags() -> Iterator[DAG]:
    """Yield each DAG of ours, and those of changes with every role there is."""
    for path in sorted((ROOT / "dags").glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"loaded_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module.dag
    for path in sorted((ROOT / "include" / "tickets").glob("*.yaml")):
        yield build_dag("CHG-1042", json.dumps(load_file(path, FACTS).data))
    yield build_dag("CHG-1043", json.dumps(banner(preflight={"confirmed": [EVIL]})))


def test_no_operator_of_ours_has_a_field_that_airflow_renders() -> None:
    """With one, whoever writes a ticket, a reason or an XCom could read every connection and variable."""
    rendered = {f"{dag.dag_id}.{task.task_id}": list(task.template_fields) for dag in dags() for task in dag.tasks}
    assert {name: fields for name, fields in rendered.items() if fields} == {}


def test_a_summary_that_is_a_template_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner reads the braces."""
    shown: dict[str, Any] = {}
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **asked: shown.update(asked)
    )
    asking = Question(task_id="confirm", options=["yes"])
    context: Any = {"task_instance": type("TaskInstance", (), {"id": "1"})()}
    asking.render_template_fields(context)
    with pytest.raises(TaskAwaitingInput):
        asking.ask(context, EVIL, EVIL, people=["alice"], within=question.timedelta(minutes=1))
    assert (shown["subject"], shown["body"]) == (EVIL, EVIL)
