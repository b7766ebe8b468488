"""Rollbacks that people have wanted outside of Airflow become runs, once each."""

from typing import Any

import pytest

from changewindow.flow import wanted
from changewindow.flow.run_request import RunRequest
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
