"""What follows a task or a run that has ended is begun at once."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance, uuid7
from airflow.utils.session import create_session
from sqlalchemy import delete, insert, select, text

from airflow import settings
from changewindow.flow.server.next_run import ended_task, let_begin, look_next
from changewindow.flow.weights import OF_ROLE
from changewindow.ticket.plan import Role

TASK = "018f3c1e-0000-7000-8000-000000000000"
STATE = f"/execution/task-instances/{TASK}/state"


@pytest.fixture
def _database() -> Iterator[None]:
    """Use Airflow's tables, without the DAGs that runs belong to."""
    import_all_models()
    Base.metadata.create_all(settings.engine)
    with create_session() as session:
        session.execute(text("PRAGMA foreign_keys=OFF"))
    yield
    with create_session() as session:
        for table in (TaskInstance, DagRun, DagModel):
            session.execute(delete(table))


@pytest.mark.usefixtures("_database")
@pytest.mark.parametrize(
    ("dag", "role", "is_next"),
    [
        pytest.param("CHG-7", "apply", True, id="a step: its watch is to begin"),
        pytest.param("CHG-7", "watch", True, id="a watch: its undo is to begin"),
        pytest.param("CHG-7", "undo", True, id="an undo: the next one is to begin"),
        pytest.param("CHG-7", "gate", False, id="a gate: nothing was touched yet"),
        pytest.param("etl", "undo", False, id="a DAG of others"),
    ],
)
def test_what_acts_does_not_wait_for_its_turn(dag: str, role: Role, *, is_next: bool) -> None:
    """Other runs keep their turn."""
    task = uuid7()
    row = {"dag_id": dag, "run_id": "run", "task_id": role, "map_index": -1, "pool": "default_pool", "pool_slots": 1}
    at = datetime(2031, 3, 18, tzinfo=UTC)
    with create_session() as session:
        for run in ("run", "other"):
            values = {"dag_id": dag, "run_id": run, "run_type": "manual", "run_after": at, "triggered_by": "TEST"}
            session.execute(insert(DagRun.__table__).values(**values, last_scheduling_decision=at))
        session.execute(insert(TaskInstance.__table__).values(**row, id=task, priority_weight=OF_ROLE[role]))
    look_next(UUID(str(task)))
    with create_session() as session:
        turns = dict(session.execute(select(DagRun.run_id, DagRun.last_scheduling_decision)).all())
    assert (turns["run"] is None, turns["other"]) == (is_next, at)


@pytest.mark.parametrize(
    ("path", "body", "task"),
    [
        pytest.param(STATE, {"state": "success"}, UUID(TASK), id="well"),
        pytest.param(STATE, {"state": "failed"}, UUID(TASK), id="badly"),
        pytest.param(STATE, {"state": "deferred"}, None, id="not at all"),
        pytest.param(STATE.replace("state", "run"), {"state": "success"}, None, id="another request"),
        pytest.param(STATE, ["state"], None, id="garbage"),
    ],
)
def test_which_task_has_ended(path: str, body: object, task: UUID | None) -> None:
    """As the request says by which each task ends."""
    assert ended_task(path, json.dumps(body).encode()) == task


@pytest.mark.usefixtures("_database")
@pytest.mark.parametrize(
    ("state", "may_begin"), [("success", True), ("failed", True), ("running", False), ("queued", False)]
)
def test_the_next_run_may_begin_once_a_person_has_ended_the_open_one(state: str, *, may_begin: bool) -> None:
    """Airflow's scheduler believes the row of the DAG, which nobody else corrects then; those of others stay."""
    at = datetime(2031, 3, 18, tzinfo=UTC)
    with create_session() as session:
        for dag in ("messages", "etl"):
            of_dag = {"bundle_name": "dags", "has_task_concurrency_limits": False, "max_consecutive_failed_dag_runs": 0}
            session.add(DagModel(dag_id=dag, exceeds_max_non_backfill=True, **of_dag))
            run = {"dag_id": dag, "run_id": "run", "run_type": "scheduled", "run_after": at, "triggered_by": "TEST"}
            session.execute(insert(DagRun.__table__).values(**run, state=state))
    let_begin(["messages"])
    with create_session() as session:
        waits = dict(session.execute(select(DagModel.dag_id, DagModel.exceeds_max_non_backfill)).all())
    assert waits == {"messages": not may_begin, "etl": True}
