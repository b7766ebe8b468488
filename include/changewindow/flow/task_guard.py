"""Prepares the process of a task: without Airflow's keys, for its token came with it, and after what rolls back."""

import os
from collections.abc import MutableMapping
from typing import Any

from airflow.listeners import hookimpl

from changewindow.flow.secrecy import SECRETS
from changewindow.flow.weights import OF_ROLE, STARTS

KEYS = (
    *("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API_AUTH__JWT_PRIVATE_KEY_PATH"),
    *("AIRFLOW__API__SECRET_KEY", "AIRFLOW__CORE__FERNET_KEY"),
    *("AIRFLOW__CELERY__BROKER_URL", "AIRFLOW__CELERY__RESULT_BACKEND"),
)
"""With these, tokens of anybody are made, connections are read, and tasks are sent to workers."""
BLOCKED = "airflow-db-not-allowed:"
"""What Airflow puts in place of its database's address in the process of a task, and not in one of its own."""
ASIDE = 5
"""The niceness of what begins: where all processors are busy, what watches and rolls back gets three times as much."""


def put_away(ours: MutableMapping[str, str] = os.environ) -> None:
    """Forget the keys in the process of a task, so that no library hands them to what it starts.

    The programs of steps get none of our environment anyway. Where a task runs inside of Airflow itself, as in
    `airflow dags test`, the keys are needed and stay.
    """
    if _is_of_a_task(ours):
        SECRETS.learn(*(ours.pop(name) for name in KEYS if name in ours))


def step_aside(task: Any, ours: MutableMapping[str, str] = os.environ) -> None:
    """Let the process of what begins step aside; a step does not, since what it starts may live on."""
    if _is_of_a_task(ours) and task.pool == STARTS and task.priority_weight < OF_ROLE["apply"]:
        os.nice(ASIDE)


def _is_of_a_task(ours: MutableMapping[str, str]) -> bool:
    return ours.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "").startswith(BLOCKED)


class TaskGuard:
    """Listens to the starts of tasks, in their own processes."""

    @hookimpl
    def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None:
        """Put the keys away before one of our tasks begins, and step aside; the tasks of others stay as they are."""
        task = getattr(task_instance, "task", None)
        if type(task).__module__.startswith("changewindow."):
            put_away()
            step_aside(task)
