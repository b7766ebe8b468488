"""Retroactive approval: one question for each change, which only somebody who was not involved settles."""

import logging
import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from changewindow.flow import aftercare_view
from changewindow.flow.dags.approval import DoesNotCount
from changewindow.flow.dags.chasing import Chase
from changewindow.flow.dags.record import RecordChange, form
from changewindow.flow.dags.retroactive import NO, YES, Owing, build_retroactive_dag
from changewindow.flow.own_dag import ASKS, RECORD, RETROACTIVE
from changewindow.flow.run_request import RunRequest
from changewindow.ledger import aftercare, changes, emergencies, events
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import Declared, Reviewed, Started
from changewindow.ledger.payloads.emergency import Skipped
from changewindow.policy.aftercare import Aftercare
from support.tampering import tamper
from support.task_instance import TaskInstance
from support.tickets import banner

AT = datetime.now(UTC) - timedelta(hours=1)
PAGE = "http://airflow/dags/CHG-1"
SKIPPED = (Skipped(code="nobody_approved", sentence="nobody has *approved* it", people=("bob",)),)
DECLARED: dict[str, Any] = {"digest": "", "broken": "no orders", "commander": "carol", "agreed_at": AT}
DECLARED |= {"agreed_how": "by phone", "executor": "erik", "skipped": SKIPPED}


class Airflow(TaskInstance):
    """A task of a run, beside those runs of the DAG that are open."""

    def __init__(self, run: str = "manual", *open_runs: str, dag: str = RETROACTIVE, person: str = "alice") -> None:
        super().__init__("ask", dag=dag)
        self.run, self.open_runs, self.person = run, open_runs, person

    def get_dr_count(self, *, run_ids: list[str], **_: Any) -> int:
        """Return how many of these runs are open."""
        return len({*run_ids} & {*self.open_runs})

    def context(self, **params: Any) -> Any:
        """Return what Airflow gives to the task."""
        dag_run = SimpleNamespace(triggering_user_name=self.person, run_type="manual")
        return {"ti": self, "task_instance": self, "run_id": self.run, "params": params, "dag_run": dag_run}


@pytest.fixture
def emergency(known: Ledger) -> str:
    """Return an emergency that alice has declared, erik carries out, and carol commands; bob was skipped."""
    return declared(known, AT + timedelta(hours=24))


def declared(ledger: Ledger, due: datetime) -> str:
    """Declare an emergency that acts; return its change."""
    event = Declared(**DECLARED, due=due)
    submitted = emergencies.declare(ledger, banner(), event, person="alice", now=AT, origin=f"{due}")
    started = Started(run="run", digest=submitted.digest, mode="run", token=1, targets=("production/orders",))
    events.record(ledger, events.Event(submitted.change, "run", AT, started))
    return submitted.change


def task(name: str, dag: DAG | None = None) -> Any:
    """Return a task of the DAG."""
    return (dag or build_retroactive_dag()).get_task(name)


def answer(change: str, by: str, option: str = YES, reason: str | None = None) -> str:
    """Answer the question about a change; return the note of its run."""
    user = {"id": by, "name": by} if by else None
    given = {"chosen_options": [option], "params_input": {"reason": reason}, "responded_at": AT}
    here = Airflow(f"{ASKS}{change}")
    task("ask").execute_complete(here.context(change="CHG-9999"), {**given, "responded_by_user": user})
    return str(here.left["note"])


def owed_by(ledger: Ledger, change: str) -> Aftercare:
    """Return what a change owes."""
    owed = aftercare.of_change(ledger, change)
    assert owed is not None
    return owed


def words(ledger: Ledger, change: str) -> list[tuple[str, bool, bool]]:
    """Return who has said what, and whether that counts."""
    return [(word.person, word.is_yes, word.counts) for word in owed_by(ledger, change).words]


def test_whose_approval_was_skipped_approves_it_afterwards(
    known: Ledger, emergency: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The run's id says what is asked about, whatever its parameters say; the room is told."""
    with caplog.at_level(logging.INFO):
        assert answer(emergency, "bob", reason="It had\nto be") == f"{emergency}: approved afterwards by bob"
    assert owed_by(known, emergency).approval(datetime.now(UTC)) == "approved"
    assert owed_by(known, emergency).words[0].reason == "It had to be"
    assert f"APPROVED AFTERWARDS by @bob: {emergency}" in caplog.text
    assert [row.kind for row in events.history(known, emergency)][-2:] == ["retro_decided", "message_sent"]


@pytest.mark.parametrize("by", ["alice", "Erik ", "carol", "dora"], ids=["asked", "did", "commanded", "another's"])
def test_a_word_that_does_not_count_is_an_event_and_asked_again(known: Ledger, emergency: str, by: str) -> None:
    """Also a no; nothing is settled by it."""
    for option in (YES, NO):
        with pytest.raises(DoesNotCount, match="It is asked again"):
            answer(emergency, by, option)
    assert words(known, emergency) == [(by, True, False), (by, False, False)]
    assert owed_by(known, emergency).is_asked


def test_nobodys_word_is_none(known: Ledger, emergency: str) -> None:
    """An answer without a name says nothing."""
    with pytest.raises(DoesNotCount, match="no name"):
        answer(emergency, "")
    assert words(known, emergency) == []


def test_a_no_settles_it_too(known: Ledger, emergency: str) -> None:
    """What was done is not agreed; who was involved reads what to do."""
    assert answer(emergency, "bob", NO, "Too risky") == f"{emergency}: not approved afterwards by bob"
    assert owed_by(known, emergency).approval(datetime.now(UTC)) == "refused"


def test_a_late_yes_is_on_record_as_late(known: Ledger) -> None:
    """It does not count, and there is nothing left to ask."""
    change = declared(known, datetime.now(UTC) - timedelta(minutes=1))
    assert answer(change, "bob") == f"{change}: approved afterwards by bob, late"
    assert words(known, change) == [("bob", True, False)]
    assert owed_by(known, change).approval(datetime.now(UTC)) == "late"


def test_a_question_that_is_settled_asks_nobody(known: Ledger, emergency: str) -> None:
    """Cleared or opened again, its run only says who has settled it."""
    answer(emergency, "bob")
    here = Airflow(f"{ASKS}{emergency}")
    task("ask").execute(here.context())
    assert here.left["note"] == f"{emergency}: approved afterwards by bob"
    task("ask").execute_complete(here.context(), {"verdict": "over", "reason": "it owes none"})
    assert known


def test_what_is_asked_shows_what_ran_and_what_was_skipped(known: Ledger, emergency: str) -> None:
    """From the ledger, with the digest; what somebody wrote is shown as written."""
    owed = owed_by(known, emergency)
    shown = aftercare_view.body(known, owed, ("bob",), page=PAGE)
    for part in (owed.digest, "no orders (NO INCIDENT OPEN)", "carol agreed", r"nobody has \*approved\* it", "bob"):
        assert part in shown.replace("\\_", "_") or part in shown
    assert "steps:" in shown or "kind" in shown
    assert "when this was asked. How it ends is seen at http://airflow/dags/CHG-1" in shown


def test_what_is_asked_about_a_change_that_has_ended_says_how_it_ended(known: Ledger, emergency: str) -> None:
    """First: what has failed is judged otherwise."""
    changes.cancel(known, emergency, person="alice", reason="it was nothing", now=AT)
    shown = aftercare_view.body(known, owed_by(known, emergency), ("bob",), page=PAGE)
    assert shown.startswith("It is cancelled. ")


@pytest.mark.parametrize("run", ["manual", "another"])
def test_a_person_opens_the_question_of_what_is_owed_and_of_nothing_else(
    known: Ledger, emergency: str, run: str
) -> None:
    """A normal change that waits, and one that there is not, owe nothing; a run that asks already is not doubled."""
    here = Airflow(run)
    [request] = task("open").execute(here.context(change=emergency))
    assert (request["trigger_dag_id"], request["trigger_run_id"]) == (RETROACTIVE, f"{ASKS}{emergency}")
    assert task("open").execute(Airflow(run, f"{ASKS}{emergency}").context(change=emergency)) == []
    assert task("open").execute(Airflow(f"{ASKS}{emergency}").context(change=emergency)) == []
    with pytest.raises(AirflowSkipException):
        task("ask").execute(here.context(change=emergency))
    normal = changes.submit(known, banner(), requester="alice", now=AT).change
    for change, why in ((normal, "owes no retroactive approval"), ("CHG-9999", "no CHG-9999|CHG-9999")):
        with pytest.raises(AirflowFailException, match=why) as refused:
            task("open").execute(here.context(change=change))
        assert "may not act" not in str(refused.value)


def test_an_edited_request_opens_no_question(known: Ledger, emergency: str) -> None:
    """Whoever edits its XCom to ask about another change triggers nothing."""
    here = Airflow()
    [request] = task("open").execute(here.context(change=emergency))
    edited = {**request, "trigger_run_id": f"{ASKS}CHG-1"}
    with pytest.raises(AirflowFailException, match="somebody has edited its XCom"):
        RunRequest(task_id="ask_there", **edited).execute(here.context())
    assert known


def test_a_record_is_approved_afterwards_by_anybody_who_neither_told_nor_did_it(known: Ledger) -> None:
    """Its run opens the question; what was done is shown, and the record stays one."""
    here = Airflow("run-1", dag=RECORD)
    at = {"start": (AT - timedelta(minutes=5)).isoformat(), "end": AT.isoformat()}
    more = {"targets": "production/orders", "commands": "vi /etc/hosts", "why": "It hung", "done_by": "erik", **at}
    given = {**{name: param.value for name, param in form().items() if param.has_value}, **more}
    RecordChange(task_id="record").execute(here.context(**given))
    [request] = Owing(task_id="owing").execute(here.context())
    change = request["conf"]["change"]
    assert "vi /etc/hosts" in aftercare_view.body(known, owed_by(known, change), (), page=PAGE)
    for by in ("alice", "erik"):
        with pytest.raises(DoesNotCount):
            answer(change, by)
    answer(change, "dora")
    assert words(known, change) == [("alice", True, False), ("erik", True, False), ("dora", True, True)]
    assert changes.get(known, change).status == "recorded"
    assert Owing(task_id="owing").execute(here.context()) == []


def test_housekeeping_keeps_each_question_open_until_it_is_settled_or_reviewed(
    known: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever became of its run; it reminds once, and one change that was altered stops no other."""
    soon, overdue, altered = (declared(known, AT + timedelta(minutes=minutes)) for minutes in (90, 30, 91))
    tamper(known, f"UPDATE events SET actor = 'mallory' WHERE number = {altered.removeprefix('CHG-')}")  # noqa: S608
    here = Airflow("scheduled", dag="housekeeping")

    def asked(*open_runs: str) -> list[str]:
        here.open_runs = open_runs
        return [each["conf"]["change"] for each in Chase(task_id="chase").execute(here.context())]

    assert asked() == [soon, overdue]
    assert asked(f"{ASKS}{soon}") == [overdue]
    assert len(re.findall(rf"APPROVAL OVERDUE by \d+m: {overdue}", caplog.text)) == 1
    assert [row.kind for row in events.history(known, overdue)].count("reminded") == 1
    events.record(known, events.Event(overdue, "dora", AT, Reviewed(digest="d", what_happened="It broke")))
    assert asked() == [soon]
