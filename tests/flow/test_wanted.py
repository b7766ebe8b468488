"""Rollbacks that people have wanted outside of Airflow become runs, once each."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from changewindow.flow import wanted
from changewindow.flow.dags.wanted_rollbacks import build_wanted_rollbacks_dag
from changewindow.flow.run_request import RunRequest
from changewindow.flow.triggerer.wanted_trigger import WantedTrigger
from changewindow.ledger import presses
from changewindow.ledger.database import Ledger
from support.slack_world import SlackWorld

CONTEXT: Any = {"run_id": "scheduled__1"}


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be the day of the change."""
    monkeypatch.setattr(wanted, "now", lambda: SlackWorld.now)


def test_a_wanted_rollback_is_one_run_however_often_it_is_asked_for(ledger: Ledger) -> None:
    """Its id is that of the event, and belongs to housekeeping."""
    world = SlackWorld.completed(ledger)
    assert wanted.requests(CONTEXT, ledger) == []
    world.clicked("carol", "take_back")
    asked = wanted.requests(CONTEXT, ledger)
    assert asked == wanted.requests(CONTEXT, ledger)
    [request] = asked
    assert request["trigger_dag_id"] == world.change
    assert request["trigger_run_id"].startswith("take_back_wanted_")
    assert request["conf"] == {"mode": "rollback", "reason": "carol asked for it by a click in Slack"}
    assert RunRequest(task_id="take_back", **request).seal == request["seal"]


def test_who_wants_a_rollback_is_nobody_while_the_ledger_is_down(ledger: Ledger) -> None:
    """So that nothing is rolled back in a false name."""
    world = SlackWorld.completed(ledger)
    world.clicked("carol", "take_back")
    assert wanted.wanted_by(ledger, world.change) == "carol"
    assert wanted.wanted_by(Ledger("sqlite:////nowhere/ledger.db"), world.change) == ""


class Airflow:
    """What Airflow says of runs: which there are."""

    runs: frozenset[str] = frozenset()

    def get_dr_count(self, *, dag_id: str, run_ids: list[str]) -> int:
        """Return how many of these runs there are."""
        return len({f"{dag_id} {run}" for run in run_ids} & self.runs)


@pytest.fixture
def known(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Return the ledger that Airflow knows."""
    fields = {"conn_type": "sqlite", "host": str(ledger.url.database)}
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps(fields))
    return ledger


def waiting() -> Any:
    """Return the task that waits for what is wanted."""
    return build_wanted_rollbacks_dag().get_task("wait")


def test_what_is_wanted_is_asked_for_until_it_has_its_run(known: Ledger) -> None:
    """Then the next one is waited for; what has a run wakes nobody."""
    airflow = Airflow()
    context: Any = {**CONTEXT, "ti": airflow}
    with pytest.raises(TaskDeferred) as deferred:
        waiting().execute(context)
    trigger: Any = deferred.value.trigger
    assert trigger.arguments.known == ()
    world = SlackWorld.completed(known)
    world.clicked("carol", "take_back")
    [asked] = waiting().execute(context)
    assert waiting().woken(context, {}) == [asked]
    airflow.runs = frozenset({f"{world.change} {asked['trigger_run_id']}"})
    assert waiting().woken(context, {}) == []
    with pytest.raises(TaskDeferred) as deferred:
        waiting().execute(context)
    trigger = deferred.value.trigger
    assert trigger.arguments.known == ((world.change, asked["trigger_run_id"]),)


async def test_whoever_waits_hears_of_a_wanted_rollback_within_seconds(known: Ledger) -> None:
    """And of one that is known already, nothing."""
    world = SlackWorld.completed(known)
    until = datetime.now(UTC) + timedelta(seconds=60)
    firing = asyncio.create_task(fired(WantedTrigger(until=until)))
    done, _ = await asyncio.wait([firing], timeout=2)
    assert not done
    world.clicked("carol", "take_back")
    assert (await asyncio.wait_for(firing, 30))["reason"] == "a rollback is wanted"
    wanted_now = presses.wanted_rollback(known, world.change)
    assert wanted_now is not None
    soon = datetime.now(UTC) + timedelta(seconds=2)
    event = await fired(WantedTrigger(until=soon, known=((world.change, wanted_now.run),)))
    assert event["reason"] == "nothing was wanted"
    # the runs of several changes may have the same name
    event = await fired(WantedTrigger(until=until, known=(("CHG-4711", wanted_now.run),)))
    assert event["reason"] == "a rollback is wanted"


async def fired(trigger: Any) -> dict[str, Any]:
    """Return what a trigger fires."""
    async for event in trigger.run():
        return dict(event.payload)
    raise AssertionError("the trigger ended without firing")
