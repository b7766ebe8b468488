"""A task that waits goes on by its own event only, whichever task of ours it is."""

import asyncio
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import TaskDeferred

from changewindow.flow.triggerer.arguments import FOR_TASK, WindowArguments
from changewindow.flow.triggers import WindowTrigger
from changewindow.flow.waiting import WAITS_FOR, Waiting
from flow.test_question import dags
from support.changes import NOW
from support.layout import INCLUDE


class Waits(Waiting):
    """Waits for a moment; tells what has woken it."""

    def execute(self, context: Context) -> None:
        """Wait."""
        self.wait_for(WindowTrigger.of(WindowArguments(change=None, opens=NOW)), "woken")

    def woken(self, context: Context, event: Any) -> Any:
        """Return the event."""
        return event


def context_of(task: UUID) -> Any:
    """Return what Airflow gives to a task."""
    return {"ti": SimpleNamespace(id=task)}


def parked(task: Waits, mine: UUID) -> TaskDeferred:
    """Return how a task waits."""
    with pytest.raises(TaskDeferred) as waiting:
        task.execute(context_of(mine))
    return waiting.value


@pytest.mark.parametrize("event", [{"verdict": "pass"}, {"chosen_options": ["Approve"]}])
def test_its_own_event_wakes_it(event: dict[str, Any]) -> None:
    """It reads nothing of whom it was for; an answer that Airflow itself hands over does not say that."""
    task, mine = Waits(task_id="waits"), uuid4()
    kwargs = parked(task, mine).kwargs
    for woken_by in (event, {**event, FOR_TASK: str(mine)}):
        assert task.resume_execution("woken", {**kwargs, "event": woken_by}, context_of(mine)) == event


@pytest.mark.parametrize("since", ["this version", "the version before"])
def test_the_event_of_another_task_does_not(since: str) -> None:
    """It waits on, for the same; whose event it was has had it already, or waits for it still."""
    task, mine = Waits(task_id="waits"), uuid4()
    first = parked(task, mine)
    kwargs = first.kwargs if since == "this version" else {}
    foreign = {**kwargs, "event": {"verdict": "pass", FOR_TASK: str(uuid4())}}
    with pytest.raises(TaskDeferred) as again:
        task.resume_execution("woken", foreign, context_of(mine))
    assert again.value.method_name == "woken"
    assert again.value.trigger.serialize() == first.trigger.serialize()
    assert again.value.kwargs == {WAITS_FOR: list(first.trigger.serialize())}


def test_an_event_says_for_which_task_it_is() -> None:
    """As the triggerer knows it."""
    trigger, task = WindowTrigger.of(WindowArguments(change=None, opens=NOW - timedelta(days=9999))), uuid4()
    trigger._task_instance = SimpleNamespace(id=task)

    async def fired() -> Any:
        return [event.payload async for event in trigger.run()]

    assert [event[FOR_TASK] for event in asyncio.run(fired())] == [str(task)]


def test_every_task_of_ours_that_waits_is_one_of_these() -> None:
    """None defers by itself, in ours or in those of changes."""
    texts = {path: path.read_text(encoding="utf-8") for path in Path(INCLUDE / "changewindow").rglob("*.py")}
    defers = [path.name for path, text in texts.items() if ".defer(" in text or "TaskDeferred(" in text]
    assert defers == ["waiting.py"]
    waits = {type(task).__name__ for dag in dags() for task in dag.tasks if isinstance(task, Waiting)}
    assert {"WindowSensor", "CheckSensor", "Verify", "Gate", "Watch", "Approve", "Send", "WaitForWanted"} <= waits
    assert all(cls.resume_execution is Waiting.resume_execution for cls in _kinds(Waiting))


def _kinds(cls: type[BaseOperator]) -> list[type[BaseOperator]]:
    return [kind for below in cls.__subclasses__() for kind in (below, *_kinds(below))]
