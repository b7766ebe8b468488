"""Approvals: one question after the other, and only answers that count are recorded."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped
from sqlalchemy import text

from changewindow.changes.event_text import sentence
from changewindow.changes.handover import Shown, Tried
from changewindow.flow.dags.approval import DoesNotCount
from changewindow.flow.dags.request import build_request_dag
from changewindow.flow.xcoms import leave
from changewindow.ledger import approvals, changes, events
from changewindow.ledger.database import Ledger
from changewindow.ledger.verification import verify_all
from changewindow.policy.sign_off import RequiredApproval
from support.changes import intent
from support.task_instance import TaskInstance
from support.tickets import banner

NOW = datetime.now(UTC)


class Asking:
    """A change that alice asks for, whose questions are answered in turn."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.dag: DAG = build_request_dag()
        self.params: dict[str, Any] = {}
        submitted = changes.submit(ledger, banner(), requester="alice", now=NOW)
        self.change = submitted.change
        self.task_instance = TaskInstance(dag="request_change")
        self.check_leaves(submitted.digest)

    def check_leaves(self, digest: str) -> None:
        """Leave what `check` has found out about a text of the change."""
        self.task_instance.task_id = "check"
        shown = Shown(change=self.change, digest=digest, summary="", plan="", warnings="")
        leave(cast("Any", {"ti": self.task_instance, "run_id": "run"}), shown)

    def context(self, number: int) -> Any:
        """Return what Airflow gives to a question."""
        self.task_instance.task_id = f"approve_{number}"
        self.task_instance.task = self.dag.get_task(f"approve_{number}")
        return {"ti": self.task_instance, "task_instance": self.task_instance, "run_id": "run", "params": self.params}

    def answer(self, number: int, by: str, option: str = "Approve", **more: Any) -> None:
        """Answer a question."""
        user = {"id": by, "name": by} if by else None
        given = {"chosen_options": [option], "params_input": {}, "responded_at": NOW, "responded_by_user": user}
        question: Any = self.dag.get_task(f"approve_{number}")
        with suppress(DownstreamTasksSkipped):
            question.execute_complete(self.context(number), {**given, **more})

    @property
    def status(self) -> str:
        """Return the status of the change."""
        return changes.get(self.ledger, self.change).status


@pytest.fixture
def asking(known: Ledger) -> Asking:
    """Return a change that needs bob or erik, and then carol."""
    return Asking(known)


def test_one_person_after_the_other_approves(asking: Asking) -> None:
    """The second question is asked only after the first; then the change is scheduled."""
    asking.answer(1, "bob")
    assert (asking.status, "approve_2" in asking.task_instance.followed) == ("submitted", True)
    assert asking.task_instance.left["note"] == f"{asking.change}: approved by bob"
    asking.answer(2, "carol")
    assert (asking.status, asking.task_instance.followed) == ("approved", ["schedule"])


def test_what_is_approved_already_is_not_asked_again(asking: Asking) -> None:
    """A question that is cleared, retried or run late goes on at once."""
    asking.answer(1, "bob")
    question: Any = asking.dag.get_task("approve_1")
    with suppress(DownstreamTasksSkipped):
        question.execute(asking.context(1))
    assert "approve_2" in asking.task_instance.followed


@pytest.mark.parametrize("by", ["alice", "carol", ""], ids=["who asks for it", "who is asked later", "nobody"])
def test_an_answer_that_does_not_count_is_asked_again(asking: Asking, by: str) -> None:
    """Nothing is recorded, and the task is tried again."""
    with pytest.raises(DoesNotCount, match="It is asked again"):
        asking.answer(1, by)
    assert asking.status == "submitted"


def test_a_no_ends_the_request(asking: Asking) -> None:
    """The change is rejected, with a name."""
    with pytest.raises(AirflowFailException, match="was rejected by bob"):
        asking.answer(1, "bob", "Reject")
    assert (asking.status, asking.task_instance.left["note"]) == ("rejected", f"{asking.change}: rejected by bob")


def test_a_no_says_why_where_the_requester_looks(asking: Asking) -> None:
    """In the note, in the log, in the ledger, and in what its events say."""
    with pytest.raises(AirflowFailException, match="was rejected by bob: The rollback takes too long"):
        asking.answer(1, "bob", "Reject", params_input={"reason": "The rollback\n takes too long"})
    why = "rejected by bob: The rollback takes too long"
    assert asking.task_instance.left["note"] == f"{asking.change}: {why}"
    assert changes.get(asking.ledger, asking.change).reason == why
    said = [sentence(events.payload(row)) for row in events.history(asking.ledger, asking.change)]
    assert said[-1] == "ended it: it will not run, because: The rollback takes too long"
    assert verify_all(asking.ledger).altered == ()


def test_the_form_of_an_approval_has_a_field_for_the_reason(asking: Asking) -> None:
    """Airflow shows it above the buttons, and whoever says yes leaves it empty."""
    question: Any = asking.dag.get_task("approve_1")
    assert question.serialized_params["reason"]["schema"]["title"] == "Reason"
    asking.answer(1, "bob", params_input={"reason": None})
    assert asking.status == "submitted"


def test_a_newer_text_is_asked_for_by_its_own_request(asking: Asking) -> None:
    """Nobody approves what they were not shown."""
    changes.revise(asking.ledger, asking.change, banner(summary="Another text"), person="alice", now=NOW)
    with pytest.raises(AirflowFailException, match="has a newer text than the one shown here"):
        asking.answer(1, "bob")
    assert asking.status == "submitted"


def test_what_was_replaced_or_cancelled_is_asked_for_no_longer(asking: Asking) -> None:
    """The question disappears, and the request says why."""
    with pytest.raises(AirflowFailException, match=r"was cancelled\. Nobody is asked any more"):
        asking.answer(1, "", verdict="fail", reason="it was cancelled")
    assert (asking.status, asking.task_instance.left["note"]) == ("submitted", f"{asking.change}: it was cancelled")


def test_what_was_approved_elsewhere_goes_on(asking: Asking) -> None:
    """Another request for the same text was answered: this one is scheduled as well, which does no harm."""
    asking.answer(1, "bob")
    asking.answer(2, "carol")
    asking.answer(1, "", verdict="over", reason="it is approved")
    assert asking.task_instance.followed == ["schedule"]


def test_a_level_that_was_approved_elsewhere_goes_on_to_the_next(asking: Asking) -> None:
    """And what fires although nothing more was approved is asked again."""
    with pytest.raises(DoesNotCount, match="It is asked again"):
        asking.answer(1, "", verdict="over", reason="somebody has approved it elsewhere")
    digest = changes.get(asking.ledger, asking.change).digest
    needs = (RequiredApproval("p", 1, ("bob", "erik")), RequiredApproval("s", 1, ("carol",)))
    wanted = intent(digest, closes=NOW + timedelta(hours=1), approvals=needs)
    approvals.decide(asking.ledger, asking.change, wanted, person="bob", is_yes=True, now=NOW)
    asking.answer(1, "", verdict="over", reason="somebody has approved it elsewhere")
    assert "approve_2" in asking.task_instance.followed


def test_nobody_answered_in_time(asking: Asking) -> None:
    """The request ends and says so, in the note of its run, too."""
    with pytest.raises(AirflowFailException, match="nobody approved it before its window ended"):
        asking.answer(1, "", error="timed out", error_type="timeout")
    assert "nobody approved it before its window ended" in asking.task_instance.left["note"]


def test_a_change_whose_window_has_ended_is_not_asked_for(known: Ledger) -> None:
    """A new window is needed first."""
    asking = Asking(known)
    opens, closes = (f"{NOW - timedelta(hours=hours):%Y-%m-%d %H:%M}" for hours in (2, 1))
    past = banner(window={"start": opens, "end": closes, "zone": "UTC"})
    revised = changes.revise(known, asking.change, past, person="alice", now=NOW)
    asking.check_leaves(revised.digest)
    question: Any = asking.dag.get_task("approve_1")
    with pytest.raises(AirflowFailException, match="its window has ended; run reslot_change"):
        question.execute(asking.context(1))


@pytest.mark.parametrize("edited", [None, "yes", {"change": "CHG-1001"}])
def test_a_question_about_garbage_is_not_asked(asking: Asking, edited: Any) -> None:
    """Any user may edit what `check` has found out."""
    asking.task_instance.xcoms["check", "return_value"] = edited
    question: Any = asking.dag.get_task("approve_1")
    with pytest.raises(AirflowFailException, match="The XCom of `check` cannot be read"):
        question.execute(asking.context(1))


def asked_about(asking: Asking, number: int = 1) -> str:
    """Return what a question shows; it then waits for its answer."""
    question: Any = asking.dag.get_task(f"approve_{number}")
    shown: dict[str, Any] = {}

    def ask(_: Any, subject: str, body: str, **__: Any) -> None:
        shown.update(subject=subject, body=body)

    question.ask = ask
    question.execute(asking.context(number))
    return f"{shown['subject']}\n{shown['body']}"


def test_an_edited_check_does_not_change_what_the_approver_sees(asking: Asking) -> None:
    """The plan is that of the text which is approved, whatever somebody wrote into the XCom of `check`."""
    left = asking.task_instance.xcoms["check", "return_value"]
    as_asked = asked_about(asking)
    asking.task_instance.xcoms["check", "return_value"] = {**left, "plan": "nothing at all", "summary": "harmless"}
    with pytest.raises(AirflowFailException, match="The XCom of `check` is refused: it has no seal"):
        asked_about(asking)
    asking.task_instance.xcoms["check", "return_value"] = left
    assert asked_about(asking) == as_asked


def test_a_check_of_the_version_before_is_asked_for_with_the_plan_of_the_ledger(asking: Asking) -> None:
    """It has no seal, and counts only where the ledger says that this request is for this text."""
    as_asked = asked_about(asking)
    left = asking.task_instance.xcoms["check", "return_value"]
    unsealed = {**left, "plan": "nothing at all", "summary": "harmless"}
    del unsealed["seal"]
    asking.task_instance.xcoms["check", "return_value"] = unsealed
    asking.params["change"] = asking.change
    shown = asked_about(asking)
    assert "nothing at all" not in shown
    assert as_asked.splitlines()[0] == shown.splitlines()[0]
    other = changes.submit(asking.ledger, banner(summary="Something else"), requester="alice", now=NOW)
    asking.task_instance.xcoms["check", "return_value"] = {**unsealed, "change": other.change, "digest": other.digest}
    with pytest.raises(AirflowFailException, match="the ledger does not say that this request is for"):
        asked_about(asking)


def test_an_edited_dry_run_is_not_shown(asking: Asking) -> None:
    """What the dry run has read has the seal of its task, or is not there."""
    asking.task_instance.xcoms["dry_run", "return_value"] = "all is well"
    asking.task_instance.xcoms["dry_run", "tried"] = {"version": 1, "text": "all is well"}
    assert "all is well" not in asked_about(asking)
    asking.task_instance.task_id = "dry_run"
    leave(cast("Any", {"ti": asking.task_instance, "run_id": "run"}), Tried(text="step 1: it is off"))
    assert "step 1: it is off" in asked_about(asking)


def test_a_text_that_was_altered_in_the_ledger_is_not_shown(asking: Asking) -> None:
    """It does not have the digest that people approve."""
    with asking.ledger.transaction() as session:
        session.execute(text("UPDATE revisions SET text = replace(text, 'low', 'high')"))
    with pytest.raises(AirflowFailException, match="has another digest now"):
        asked_about(asking)
