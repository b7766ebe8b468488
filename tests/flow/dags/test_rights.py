"""Who may intervene, held against the policy inside of the run."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from changewindow.errors import NotAllowed
from changewindow.flow import rights
from changewindow.flow.dags.extending import extension_of
from changewindow.flow.dags.interventions import (
    CHANGE,
    REASON,
    build_intervention,
    build_reslot_dag,
    cancel,
    release,
)
from changewindow.flow.own_dag import INTERVENTIONS
from changewindow.ledger import changes, events, leases
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import RollbackWanted, Started
from changewindow.policy.rights import act_of
from support.changes import NOW, approved, intent
from support.task_instance import TaskInstance
from support.tickets import banner


def context(person: str | None, run_type: str = "manual", **params: Any) -> Any:
    """Return what a task knows of a run that a person triggered."""
    run = SimpleNamespace(triggering_user_name=person, run_type=run_type)
    return {"dag_run": run, "params": params, "ti": TaskInstance()}


@pytest.fixture
def change(known: Ledger) -> str:
    """Return a change of alice, which bob or erik, and then carol, may approve."""
    return approved(known, banner()).change


def why(person: str | None, dag: str, run_type: str = "manual", **params: Any) -> str:
    """Return why a run does not intervene, or an empty text."""
    try:
        rights.require(context(person, run_type, **params), dag)
    except NotAllowed as refused:
        return str(refused)
    return ""


def test_every_dag_by_which_people_intervene_has_a_right() -> None:
    """One without would be open to all."""
    assert all(act_of(dag, {}) for dag in INTERVENTIONS)


@pytest.mark.parametrize(
    ("person", "is_allowed"),
    [
        ("bob", True),
        ("carol", True),
        ("admin", True),
        ("alice", False),
        ("eve", False),
        ("unknown", False),
        (None, False),
    ],
    ids=["an approver", "of the second level", "an admin", "the requester", "another user", "a false name", "nobody"],
)
def test_a_completed_change_is_rolled_back_by_those_who_may(change: str, person: str, *, is_allowed: bool) -> None:
    """Its approvers, by the policy of now, and operators; a run that nobody triggered is nobody's."""
    refused = why(person, change, mode="rollback", reason="x")
    assert (refused == "") == is_allowed
    assert is_allowed or "`rollback` in rights.yaml allows it to owners, approvers (bob, erik, carol)" in refused


def test_housekeeping_rolls_back_what_acts_without_a_run(known: Ledger, change: str, tmp_path: Path) -> None:
    """Whatever the policy says of people; to roll back what is completed is theirs, whichever DAG triggers it."""
    (tmp_path / "policy" / "rights.yaml").write_text("may: {abort: [operators]}\n")
    stored = changes.get(known, change)
    leases.start(known, change, intent(stored.digest), targets=("production/orders",), now=NOW)
    assert why(None, change, "operator_triggered", mode="rollback") == ""
    assert "eve may not abort a change" in why("eve", change, mode="rollback")
    changes.close(known, change, run="run-1", outcome="completed", reason="", now=NOW)
    assert "unknown may not roll back" in why(None, change, "operator_triggered", mode="rollback")
    assert "eve may not roll back" in why("eve", change, "operator_triggered", mode="rollback")


def test_who_wanted_a_rollback_in_slack_is_held_against_the_policy_again(known: Ledger, change: str) -> None:
    """The run that a DAG triggers for them is theirs, once; whoever else may trigger it gains nothing."""
    stored = changes.get(known, change)
    leases.start(known, change, intent(stored.digest), targets=("production/orders",), now=NOW)
    changes.close(known, change, run="run-1", outcome="completed", reason="", now=NOW)
    for person, refused in (("eve", "eve may not roll back"), ("erik", "")):
        wanted = RollbackWanted(digest=stored.digest, reason="a click in Slack")
        events.record(known, Event(change, person, NOW, wanted))
        assert refused in why(None, change, "operator_triggered", mode="rollback")
        assert "unknown may not roll back" in why(None, change, mode="rollback")
    assert why(None, change, "operator_triggered", mode="rollback") == ""
    started = Started(run="take_back_1", token=2, digest=stored.digest, targets=("x",), mode="rollback")
    events.record(known, Event(change, "take_back_1/gate", NOW, started))
    assert "unknown may not roll back" in why(None, change, "operator_triggered", mode="rollback")


def test_other_modes_are_open(change: str) -> None:
    """The gate decides about them."""
    assert why("eve", change, mode="run") == why("eve", change, mode="dry_run") == ""


def test_while_the_policy_cannot_be_read_what_is_safe_is_open(change: str, tmp_path: Path) -> None:
    """And what is not is open to operators alone."""
    (tmp_path / "policy" / "approvals.yaml").write_text("rules: [")
    assert why("eve", "abort_change", change=change) == why("admin", change, mode="rollback") == ""
    assert "bob may not roll back" in why("bob", change, mode="rollback")


def test_while_the_ledger_is_down_only_operators_are_known(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom the change names is written there."""
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", '{"conn_type": "sqlite", "host": "/nowhere/ledger.db"}')
    assert why("admin", change, mode="rollback") == ""
    assert "bob may not roll back" in why("bob", change, mode="rollback")


def test_an_intervention_of_somebody_else_touches_nothing(known: Ledger, change: str, tmp_path: Path) -> None:
    """The run says who may, and fails."""
    for dag_id, act, refused in (
        ("cancel_change", cancel, "eve may not cancel a change"),
        ("release_target", release, "eve may not release a target"),
    ):
        operator: Any = build_intervention(dag_id, "For the test.", {"change": CHANGE, "reason": REASON}, act).tasks[0]
        with pytest.raises(AirflowFailException, match=refused):
            operator.execute(context("eve", change=change, target="production/orders", reason="because"))
    move: Any = build_reslot_dag().get_task("check")
    with pytest.raises(NotAllowed, match="eve may not move a change"):
        move.request(context("eve", change=change, start="2031-03-20 10:00", end="2031-03-20 11:00"))
    (tmp_path / "policy" / "rights.yaml").write_text("may: {extend: [operators]}\n")
    with pytest.raises(NotAllowed, match="eve may not ask for a longer window"):
        extension_of(context("eve", change=change, end="2031-03-20 11:00"))
    assert changes.get(known, change).status == "approved"
