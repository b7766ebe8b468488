"""An in-memory twin of Airflow's task instance: what the tasks of one run leave for each other."""

from collections.abc import Mapping
from typing import Any


class TaskInstance:
    """The task that runs, among the others of its run."""

    def __init__(self, task: str = "", states: Mapping[str, str | None] | None = None, dag: str = "") -> None:
        self.task_id, self.dag_id = task, dag
        self.states = dict(states or {})
        self.xcoms: dict[tuple[str, str], Any] = {}
        self.try_number, self.max_tries, self.map_index = 1, 0, -1
        self.others: dict[str, TaskInstance] = {}
        """The same task in other runs of the DAG, by the id of the run."""
        self.is_open = True
        """Whether its run has not ended."""
        self.log_url = f"http://airflow/dags/{dag}/runs/run-1/tasks/{task}"
        """The address of its log."""
        self.task: Any = None
        """The operator, for those that branch."""

    @property
    def left(self) -> dict[str, Any]:
        """Return what the task that runs has left, by key, without the seals."""
        return {key: _without_seal(value) for (task, key), value in self.xcoms.items() if task == self.task_id}

    @property
    def followed(self) -> list[str]:
        """Return the tasks to which the one that runs has branched."""
        return list(self.left["skipmixin_key"]["followed"])

    def clear(self) -> None:
        """Forget what the task has left, as Airflow does before another try."""
        for key in self.left:
            del self.xcoms[self.task_id, key]
        self.try_number += 1

    def xcom_push(self, *, key: str, value: Any) -> None:
        """Keep what the task leaves."""
        self.xcoms[self.task_id, key] = value

    def xcom_pull(self, *, task_ids: str, key: str = "return_value", run_id: str = "") -> Any:
        """Return what a task left, in this run or in another one."""
        return self.others[run_id].xcom_pull(task_ids=task_ids, key=key) if run_id else self.xcoms.get((task_ids, key))

    def get_task_states(self, *, run_ids: list[str] | None = None, **_: Any) -> dict[str, dict[str, str | None]]:
        """Return the states of the run's tasks, or of the tasks of all runs."""
        if run_ids:
            return {run_ids[0]: self.states}
        return {"run": self.states, **{run: other.states for run, other in self.others.items()}}

    def get_dr_count(self, *, run_ids: list[str], **_: Any) -> int:
        """Return how many of these runs are open."""
        return sum(run in self.others and self.others[run].is_open for run in run_ids)


def _without_seal(value: Any) -> Any:
    return {name: field for name, field in value.items() if name != "seal"} if isinstance(value, dict) else value
