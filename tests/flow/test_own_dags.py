"""The DAGs that come with Change Windows."""

import runpy
from pathlib import Path

import pytest
from airflow.sdk import DAG

from changewindow.flow.dags.request import form
from changewindow.flow.own_dag import OWN_DAGS
from changewindow.settings import shipped


@pytest.mark.parametrize("name", sorted(OWN_DAGS))
def test_a_task_that_airflow_could_not_start_is_tried_again(name: str) -> None:
    """An API server that is still starting, or starts again, makes no run red and swallows no click."""
    dag: DAG = runpy.run_path(str(shipped("dags") / f"{name}.py"))["dag"]
    assert all(task.retries >= 3 for task in dag.tasks)


@pytest.mark.parametrize("name", sorted(OWN_DAGS))
def test_a_field_that_may_be_left_empty_is_not_required_by_the_form(name: str) -> None:
    """Airflow takes an empty text for nothing: unless nothing is allowed, its button to trigger stays grey."""
    dag: DAG = runpy.run_path(str(shipped("dags") / f"{name}.py"))["dag"]
    fields = {field: dag.params.get_param(field) for field in dag.params}
    empty = [field for field, param in fields.items() if param.has_value and param.value in ("", None)]
    assert [field for field in empty if "null" not in fields[field].schema["type"]] == []


@pytest.mark.parametrize("name", sorted(OWN_DAGS))
def test_the_help_of_a_field_is_plain_text(name: str) -> None:
    """Airflow shows backticks as they are, and of Markdown lays code of two lines over the line before it."""
    dag: DAG = runpy.run_path(str(shipped("dags") / f"{name}.py"))["dag"]
    fields = {field: dag.params.get_param(field) for field in dag.params}
    assert [field for field, param in fields.items() if "`" in str(param.description)] == []


@pytest.mark.parametrize("name", sorted(OWN_DAGS))
def test_a_field_that_may_be_empty_may_be_left_out(name: str) -> None:
    """Over REST, too: without its default Airflow would ask for it."""
    dag: DAG = runpy.run_path(str(shipped("dags") / f"{name}.py"))["dag"]
    fields = {field: dag.params.get_param(field) for field in dag.params}
    optional = [param for param in fields.values() if "null" in (param.schema.get("type") or ())]
    assert [param.resolve() for param in optional] == [param.value for param in optional]


def test_the_form_says_what_may_be_chosen_for_each_standard_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to know the templates by heart; one that cannot be read keeps no form from opening."""
    assert "For max_idle: max_idle 8, 12, 16, 20; restart: instance 1, 2, 3." in str(form()["values"].description)
    monkeypatch.setenv("CHANGEWINDOW_TEMPLATES", str(tmp_path))
    (tmp_path / "broken.yaml").write_text("parameters: [\n")
    (tmp_path / "odd.yaml").write_text("parameters: {count: 3}\n")
    assert str(form()["values"].description).endswith("For odd: none.")


def test_the_field_for_a_ticket_is_open_when_the_form_opens() -> None:
    """Airflow opens the section of fields that name none, and folds every other one up."""
    sections = {name: param.schema.get("section") for name, param in form().items()}
    assert [name for name, section in sections.items() if section is None] == ["ticket"]
