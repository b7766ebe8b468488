"""Has the scheduler look next at a run of which something that acts has just ended: what follows must not wait.

Airflow's scheduler looks at 20 runs at a time, the one it has not looked at for longest first. With 200 open runs, an
applied change waits through ten such rounds for its watch to begin, and a breached one for its undo.
"""

import json
import re
from contextlib import suppress
from uuid import UUID

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import and_, exists, update

from changewindow.flow.weights import OF_ROLE

PATH = re.compile("/execution/task-instances/([0-9a-f-]{36})/state")
ENDED = {"success", "failed", "skipped"}
ACTS = OF_ROLE["apply"]
"""The tasks that act, and those after them, weigh at least so much."""


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
