"""The DAG `what_changed`: the answer stands in the note of its run and in its log."""

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from changewindow.flow.dags.what_changed import build_what_changed_dag
from changewindow.flow.xcoms import NOTE
from changewindow.ledger.database import Ledger
from collector_fixtures.git import commit
from step_fixtures.git_change import git
from support.acted import acted
from support.task_instance import TaskInstance

COLLECTORS = """collectors:
  config: {kind: git, service: orders, connection: orders_config, within: 60s}
  ours: {kind: changes}
  gone: {kind: git, connection: nobody_knows}
"""


@pytest.fixture
def repository(tmp_path: Path, known: Ledger, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository that Airflow knows, and a policy that looks at it."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main", ".")
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_CONFIG", json.dumps({"conn_type": "git", "host": str(folder)}))
    monkeypatch.setenv("CHANGEWINDOW_COLLECTED", str(tmp_path / "collected"))
    (tmp_path / "policy" / "collectors.yaml").write_text(COLLECTORS)
    return folder


def asked(task_instance: TaskInstance | None = None, **params: str) -> TaskInstance:
    """Ask, as a person who has filled in the form."""
    dag = build_what_changed_dag()
    operator: Any = dag.tasks[0]
    task_instance = task_instance or TaskInstance("look", dag="what_changed")
    operator.execute({"ti": task_instance, "params": {**dag.params.dump(), **params}})
    return task_instance


def test_the_answer_stands_in_note_and_log(repository: Path, known: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """With who explains it, and which collector could not see."""
    change = acted(known, datetime.now(UTC) - timedelta(seconds=2))
    commit(repository, "Quick fix")
    with caplog.at_level(logging.INFO):
        note = asked().xcom_pull(key=NOTE, task_ids="look")
    assert "2 of 3 collectors answered: config, ours" in note
    assert (
        "gone  all of it: there is no Airflow Connection 'nobody_knows'. Create it under Admin, Connections, or "
        in note
    )
    assert "Quick fix; pool.yaml +1 -0" in caplog.text
    assert f"explained by nobody: {change} acted on orders then, but no step of it announced this value" in caplog.text
    assert f"ours  {change}  Switch the banner on: apply_1 applied step 1 'Switch it on'" in caplog.text


def test_a_note_that_is_not_all_ends_with_where_the_rest_stands(repository: Path) -> None:
    """Whoever reads it would otherwise take the last line for the first change."""
    for name in "ABCD":
        commit(repository, name)
    *shown, last = asked().xcom_pull(key=NOTE, task_ids="look").splitlines()
    assert (len(shown), last) == (12, "… the log says the rest")


def test_a_refusal_stands_in_the_note(repository: Path) -> None:
    """A red run without a note sends people into the log of its task."""
    task_instance = TaskInstance("look", dag="what_changed")
    with pytest.raises(AirflowFailException):
        asked(task_instance, since="yesterday")
    assert task_instance.xcom_pull(key=NOTE, task_ids="look").startswith("'yesterday' is neither a time like ")


def test_a_broken_calendar_holds_up_nothing(repository: Path, tmp_path: Path) -> None:
    """Whoever is woken asks what changed, also of a policy by which no change may start."""
    commit(repository, "Quick fix")
    (tmp_path / "policy" / "calendar.yaml").write_text("windows: [")
    assert "Quick fix" in asked().xcom_pull(key=NOTE, task_ids="look")


def test_without_collectors_the_run_is_red(repository: Path, tmp_path: Path) -> None:
    """An empty answer would look as if nothing had changed."""
    (tmp_path / "policy" / "collectors.yaml").unlink()
    with pytest.raises(AirflowFailException, match="No collector is configured, so nobody can see what changed"):
        asked()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("yesterday", "'yesterday' is neither a time like 2031-03-18T14:00 nor a length of time like 7d"),
        ("2200-01-01", "Since 2200-01-01 is not in the past. Write a length of time like 2h, or an earlier time."),
    ],
)
def test_what_is_no_past_is_refused(repository: Path, given: str, message: str) -> None:
    """With what to write."""
    with pytest.raises(AirflowFailException) as refused:
        asked(since=given)
    assert str(refused.value) == message


@pytest.mark.parametrize("field", ["service", "symptom"])
def test_a_service_that_nobody_knows_is_refused(repository: Path, tmp_path: Path, field: str) -> None:
    """Nothing would ever have changed there."""
    services = "services:\n  orders: {owners: [alice], environments: [production]}\n"
    (tmp_path / "policy" / "services.yaml").write_text(services)
    with pytest.raises(AirflowFailException, match=f"{field}: services.yaml has no service 'ordres'. Did you mean"):
        asked(**{field: "ordres"})
