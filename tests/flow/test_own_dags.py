"""The DAGs that come with Change Windows."""

import runpy

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


def test_the_field_for_a_ticket_is_open_when_the_form_opens() -> None:
    """Airflow opens the section of fields that name none, and folds every other one up."""
    sections = {name: param.schema.get("section") for name, param in form().items()}
    assert [name for name, section in sections.items() if section is None] == ["ticket"]
