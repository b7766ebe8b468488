"""Tasks that wait without a worker, and go on only by what was meant for them.

Airflow 3.3.2 wakes whoever waits for the trigger of a number (`Trigger.submit_event`). SQLite gives the number of
a trigger that is gone to the next one, so the answer to one question could wake another that was asked in the same
second. PostgreSQL and MySQL give no number twice.
"""

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any, NoReturn

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import TaskDeferred

from changewindow.flow.runtime import log
from changewindow.flow.triggerer.arguments import FOR_TASK
from changewindow.flow.triggers import ChangeTrigger

WAITS_FOR = "waits_for"
"""What a task that waits keeps of its trigger: the path of its class, and its arguments."""


class Waiting(BaseOperator):
    """A task that waits for a trigger of ours."""

    def wait_for(self, trigger: ChangeTrigger[Any], method_name: str) -> NoReturn:
        """Wait without a worker; a method goes on with the event of the trigger."""
        raise TaskDeferred(trigger=trigger, method_name=method_name, kwargs={WAITS_FOR: list(trigger.serialize())})

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on; after the event of another task, wait for the one of our own."""
        given = dict(next_kwargs or {})
        waits_for, event = given.pop(WAITS_FOR, None), given.get("event")
        if isinstance(event, Mapping) and FOR_TASK in event:
            given["event"] = {name: value for name, value in event.items() if name != FOR_TASK}
            if event[FOR_TASK] != str(context["ti"].id):
                log.warning("what has woken this task was meant for another one; it goes on waiting")
                if waits_for is None:  # it has waited since before an upgrade
                    return self.execute(context)
                path, arguments = waits_for
                self.wait_for(resolve_name(path)(**arguments), next_method)
        return super().resume_execution(next_method, given, context)
