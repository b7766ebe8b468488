"""Retroactive approval on a real Airflow: what alice did by hand is approved afterwards by bob, and not by herself."""

from datetime import UTC, datetime, timedelta

import pytest

from changewindow.cli.airflow_api import RestError, wait_for
from changewindow.ledger import aftercare
from changewindow.policy.aftercare import Aftercare
from support.real_airflow import RealAirflow

DAG = "retroactive_approval"


def told(airflow: RealAirflow) -> str:
    """Record something as alice; return the record, whose question opens by itself."""
    at = datetime.now(UTC) - timedelta(minutes=5)
    conf = {"targets": "production/orders", "why": "It hung", "commands": "systemctl restart orders"}
    times = {"start": (at - timedelta(minutes=1)).isoformat(), "end": at.isoformat()}
    run = airflow.does("record_change", "alice", **conf, **times)
    return str(airflow.alice.xcom("record_change", run, "record", "note")).split()[0]


def owed_by(airflow: RealAirflow, change: str) -> Aftercare:
    """Return what a change owes."""
    owed = aftercare.of_change(airflow.ledger, change)
    assert owed is not None
    return owed


def asked_again(airflow: RealAirflow, run: str, tries: int) -> None:
    """Wait until a question is asked for the so many-th time."""
    wait_for(lambda: airflow.alice.tasks(DAG, run)["ask"]["try_number"] == tries, f"try {tries} of {run}")


def test_who_told_it_cannot_approve_it_and_somebody_else_can(airflow: RealAirflow) -> None:
    """Her yes and her no are events that do not count; bob's yes settles it, and there is nothing left to ask."""
    change = told(airflow)
    run = f"asks_about_{change}"
    airflow.answer("alice", run, "Approve", dag=DAG, task="ask")
    asked_again(airflow, run, 2)
    airflow.answer("alice", run, "Do not approve", dag=DAG, task="ask")
    asked_again(airflow, run, 3)
    assert owed_by(airflow, change).approval(datetime.now(UTC)) == "owed"
    airflow.answer("bob", run, "Approve", dag=DAG, task="ask")
    assert airflow.request_ends(run, DAG) == "success"
    owed = owed_by(airflow, change)
    assert owed.approval(datetime.now(UTC)) == "approved"
    words = [(word.person, word.is_yes, word.counts) for word in owed.words]
    assert words == [("alice", True, False), ("alice", False, False), ("bob", True, True)]
    kinds = airflow.kinds(change)
    assert (kinds[:2], kinds.count("retro_decided")) == (["recorded", "review_asked"], 3)
    airflow.is_posted("APPROVED AFTERWARDS by @bob", change)


def test_whatever_becomes_of_its_run_the_question_opens_again_and_only_once(airflow: RealAirflow) -> None:
    """Nobody takes its name or pastes what it hands over; a run for a change that owes nothing asks nobody."""
    change = told(airflow)
    run = f"asks_about_{change}"
    wait_for(lambda: airflow.asks(DAG, run, "ask"), "the question")
    again = airflow.does(DAG, "alice", change=change)
    assert airflow.alice.tasks(DAG, again)["ask"]["state"] == "skipped"
    for path, body in (
        (f"/dags/{DAG}/dagRuns", {"dag_run_id": "asks_about_CHG-1", "logical_date": None, "conf": {"change": change}}),
        (f"/dags/{DAG}/dagRuns/{again}/taskInstances/open/xcomEntries", {"key": "return_value", "value": "[]"}),
    ):
        with pytest.raises(RestError, match="409"):
            airflow.alice.post(path, body)
    airflow.mark_run(DAG, run, "success")
    assert owed_by(airflow, change).is_asked
    wait_for(lambda: airflow.bob.run(DAG, run)["state"] == "success", "the run to be marked")
    airflow.does(DAG, "alice", change=change)
    airflow.answer("bob", run, "Do not approve", dag=DAG, task="ask")
    assert airflow.request_ends(run, DAG) == "success"
    assert owed_by(airflow, change).approval(datetime.now(UTC)) == "refused"
    nothing = airflow.does(DAG, "bob", change=change)
    assert airflow.bob.run(DAG, nothing)["state"] == "failed"
    assert "owes no retroactive approval" in airflow.bob.xcom(DAG, nothing, "open", "note")


def test_what_was_told_is_reviewed_and_followed_up(airflow: RealAirflow) -> None:
    """Bob reviews it once, under his name, and nothing that Airflow stores of it holds the secret."""
    change, day = told(airflow), f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%d}"
    form = {
        "change": change,
        "what_happened": "It hung\nWe ran mysql --password=hunter2-9f3",
        "why_not_normal": "Customers could not order",
        "what_would_be_normal": "A standard change",
        "follow_ups": f"alert earlier | alice | {day}\nlarger pool",
        "template": "restart_orders",
    }
    run = airflow.does("review_change", "bob", **form)
    note = airflow.bob.xcom("review_change", run, "review", "note").splitlines()
    assert note[:3] == [
        f"{change} is reviewed by bob; that is settled.",
        f"Follow-up 1: alert earlier (alice, by {day} 23:59 UTC)",
        "Follow-up 2: larger pool (NO OWNER, NO DATE)",
    ]
    assert f"/{change}/restart_orders.yaml" in note[3]
    assert "9f3" not in str(airflow.bob.run("review_change", run))
    again = airflow.does("review_change", "bob", **form)
    assert "bob has reviewed" in airflow.bob.xcom("review_change", again, "review", "note")
    airflow.does("follow_up", "alice", change=change, about="1", reason="The alert is there")
    owed = owed_by(airflow, change)
    assert (owed.reviewed_by, [each.is_done for each in owed.follow_ups]) == ("bob", [True, False])
    assert owed.due is not None
