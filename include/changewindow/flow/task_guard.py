"""Takes the keys of Airflow out of the environment of a task, whose token came with it and who needs none of them."""

import os
from collections.abc import MutableMapping
from typing import Any

from airflow.listeners import hookimpl

from changewindow.flow.secrecy import SECRETS

KEYS = (
    *("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API_AUTH__JWT_PRIVATE_KEY_PATH"),
    *("AIRFLOW__API__SECRET_KEY", "AIRFLOW__CORE__FERNET_KEY"),
    *("AIRFLOW__CELERY__BROKER_URL", "AIRFLOW__CELERY__RESULT_BACKEND"),
)
"""With these, tokens of anybody are made, connections are read, and tasks are sent to workers."""
BLOCKED = "airflow-db-not-allowed:"
"""What Airflow puts in place of its database's address in the process of a task, and not in one of its own."""


def put_away(ours: MutableMapping[str, str] = os.environ) -> None:
    """Forget the keys in the process of a task, so that no library hands them to what it starts.

    The programs of steps get none of our environment anyway. Where a task runs inside of Airflow itself, as in
    `airflow dags test`, the keys are needed and stay.
    """
    if ours.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "").startswith(BLOCKED):
        SECRETS.learn(*(ours.pop(name) for name in KEYS if name in ours))


class TaskGuard:
    """Listens to the starts of tasks, in their own processes."""

    @hookimpl
    def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None:
        """Put the keys away before one of our tasks begins; the tasks of others keep them."""
        if type(getattr(task_instance, "task", None)).__module__.startswith("changewindow."):
            put_away()
