"""Has the scheduler go on at once with what follows a task, or a run, that has just ended.

Airflow's scheduler looks at 20 runs at a time, the one it has not looked at for longest first. With 200 open runs, an
applied change waits through ten such rounds for its watch to begin, and a breached one for its undo.

Airflow 3.3.2 keeps in the row of a DAG that as many of its runs are open as may be, and does not look again when a
person ends one: until its file is read anew, up to an hour later, none would begin, neither of the DAGs that send and
roll back nor that of a change in its window.
"""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import State
from sqlalchemy import and_, exists, update

from changewindow.flow.weights import OF_ROLE

PATH = re.compile("/execution/task-instances/([0-9a-f-]{36})/state")
ENDED = {"success", "failed", "skipped"}
ACTS = OF_ROLE["apply"]
"""The tasks that act, and those after them, weigh at least so much."""
RUNS = "/api/v2/dags/{dag_id}/dagRuns"
END_RUNS = {f"PATCH {RUNS}", f"PATCH {RUNS}/{{dag_run_id}}", f"DELETE {RUNS}/{{dag_run_id}}"}
"""The requests by which people end runs."""


def ended_task(path: str, body: bytes) -> UUID | None:
    """Return the task that says, by this request, that it has ended."""
    of_a_task = PATH.fullmatch(path)
    with suppress(ValueError, AttributeError):
        if of_a_task and json.loads(body).get("state") in ENDED:
            return UUID(of_a_task[1])
    return None


def look_next(task: UUID) -> None:
    """Let the run of a task be the next that the scheduler looks at, if it is one of a change that acts."""
    is_run = and_(TaskInstance.dag_id == DagRun.dag_id, TaskInstance.run_id == DagRun.run_id)
    acts = exists().where(is_run, TaskInstance.id == task, TaskInstance.priority_weight >= ACTS)
    first = update(DagRun).where(DagRun.dag_id.like("CHG-%"), acts).values(last_scheduling_decision=None)
    with create_session(scoped=False) as session:
        session.execute(first.execution_options(synchronize_session=False))


def let_begin(dags: Sequence[str]) -> None:
    """Let the next run begin of those of some DAGs of which none is open."""
    is_open = exists().where(DagRun.dag_id == DagModel.dag_id, DagRun.state.in_(State.unfinished_dr_states))
    ended = update(DagModel).where(DagModel.dag_id.in_(dags), ~is_open).values(exceeds_max_non_backfill=False)
    with create_session(scoped=False) as session:
        session.execute(ended.execution_options(synchronize_session=False))
