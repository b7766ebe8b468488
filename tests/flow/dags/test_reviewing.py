"""`review_change` and `follow_up`: what people write after a change lands in the ledger, in their own name."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from changewindow import settings
from changewindow.flow.dags.reviewing import build_follow_up_dag, build_review_dag, follow_up_form, review_form
from changewindow.ledger import aftercare, changes, emergencies, events, leases
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import Declared, ReviewAsked, Reviewed
from changewindow.ledger.verification import verify_all
from changewindow.policy.templates import load_standards
from support.changes import NOW, approved, intent
from support.task_instance import TaskInstance
from support.tickets import banner

LATER = datetime.now(UTC) + timedelta(days=30)
REVIEW: dict[str, Any] = {
    "change": "CHG-1001",
    "what_happened": "The pool was full",
    "why_not_normal": "Customers could not order",
    "what_would_be_normal": "A standard change",
    "follow_ups": f"alert earlier | alice | {LATER:%Y-%m-%d}\nlarger pool",
}
LOG = "http://airflow/dags/review/runs/run-1/tasks/review"
IN_LOG = f"The draft of a standard change stands in the log of this task: {LOG}."
DAGS = {"review": (build_review_dag, review_form), "follow_up": (build_follow_up_dag, follow_up_form)}


@pytest.fixture
def ended(known: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Return a ledger with an emergency that has ended, and asks for its review."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("CHANGEWINDOW_TEMPLATES", str(tmp_path / "templates"))
    said: dict[str, Any] = {"broken": "no orders", "agreed_how": "by phone", "skipped": (), "workaround_until": LATER}
    told = Declared(digest="", commander="carol", agreed_at=NOW, executor="erin", due=LATER, **said)
    made = emergencies.declare(known, banner(), told, person="alice", now=NOW, origin="emergency_change/one")
    leases.start(known, made.change, intent(made.digest), targets=("production/orders",), now=NOW)
    changes.close(known, made.change, run="run-1", outcome="completed", reason="", now=NOW)
    events.record(known, Event(made.change, "housekeeping", NOW, ReviewAsked(because="emergency", due=LATER)))
    return known


def fill_in(form: str, person: str | None = "dora", run: str = "run-1", **params: Any) -> str:
    """Fill in a form; return the note of its run."""
    build, fields = DAGS[form]
    operator: Any = build().tasks[0]
    dag_run = SimpleNamespace(triggering_user_name=person, run_type="manual")
    noted = TaskInstance(form, dag=form)
    given = {**{name: param.value for name, param in fields().items() if param.has_value}, **params}
    operator.execute({"dag_run": dag_run, "params": given, "ti": noted, "run_id": run})
    return str(noted.left["note"])


def test_a_review_lands_in_the_ledger_with_a_draft(ended: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """Bound to what ran; the room is told, the draft counts nowhere, and a second try writes nothing."""
    draft = settings.read().drafts / "CHG-1001" / "switch_banner.yaml"
    with caplog.at_level(logging.INFO):
        note = fill_in("review", **{**REVIEW, "template": "switch_banner"}).splitlines()
    assert note == [
        "CHG-1001 is reviewed by dora; that is settled.",
        f"Follow-up 1: alert earlier (alice, by {LATER:%Y-%m-%d} 23:59 UTC)",
        "Follow-up 2: larger pool (NO OWNER, NO DATE)",
        f"{IN_LOG} It approves nothing. It is kept as {draft}, on the host of the worker.",
    ]
    logged = [line.partition("| ")[2] for line in caplog.messages if line.startswith("| ")]
    assert "\n".join(logged).rstrip() == draft.read_text(encoding="utf-8").rstrip()
    fill_in("review", **{**REVIEW, "template": "switch_banner"})
    [written] = events.past(ended, "CHG-1001", Reviewed)
    assert written.digest == changes.get(ended, "CHG-1001").digest
    assert written.template == str(draft)
    assert Path(written.template).read_text(encoding="utf-8").startswith("# A draft of a standard change")
    assert load_standards(settings.read().templates).names() == ()
    assert caplog.text.count("📋 REVIEWED by @dora: CHG-1001") == 1
    assert verify_all(ended).altered == ()


def test_a_second_review_adds_to_the_first(ended: Ledger) -> None:
    """And says which counts; the same person writes none twice."""
    fill_in("review", **REVIEW)
    note = fill_in("review", "bob", run="run-2", **{**REVIEW, "follow_ups": "a runbook | erin"}).splitlines()
    assert note[0] == "CHG-1001 was reviewed by dora, which counts; what bob says is added to it."
    assert note[-1] == "Follow-up 3: a runbook (erin, NO DATE)"
    with pytest.raises(AirflowFailException, match="dora has reviewed CHG-1001 already"):
        fill_in("review", run="run-3", **REVIEW)


def test_what_is_no_review_says_every_reason(ended: Ledger) -> None:
    """In the note of the run, too; nothing is written. A change that owes none says so first."""
    approved(ended, banner())
    with pytest.raises(AirflowFailException) as refused:
        fill_in("review", **{**REVIEW, "what_happened": "", "template": "A", "follow_ups": "a | b c"})
    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == [
        "3 mistakes, so nothing was done. Correct all of them, and try again.",
        "what_happened",
        "follow_ups, line 1",
        "template",
    ]
    with pytest.raises(AirflowFailException, match="CHG-1002 owes no review"):
        fill_in("review", **{**REVIEW, "change": "CHG-1002", "what_happened": ""})
    with pytest.raises(AirflowFailException, match="Trigger review_change in your own name"):
        fill_in("review", None, **REVIEW)
    assert events.history(ended, "CHG-1001", EventKind.REVIEWED) == []


def test_a_review_does_not_fail_for_its_draft(ended: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the draft cannot be written, or would count, the note says so, and how to print it."""
    monkeypatch.setenv("CHANGEWINDOW_DRAFTS", str(tmp_path / "spool.jsonl"))
    (tmp_path / "spool.jsonl").write_text("")
    note = fill_in("review", **{**REVIEW, "template": "switch_banner"}).splitlines()
    assert note[-1].startswith(f"{IN_LOG} No file of it was written. The draft cannot be written to ")
    [written] = events.past(ended, "CHG-1001", Reviewed)
    assert written.template == ""


def test_a_follow_up_is_moved_and_done(ended: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """The note says what is still open; the room is told once."""
    fill_in("review", **REVIEW)
    day = f"{LATER + timedelta(days=1):%Y-%m-%d}"
    moved = {"about": "2", "done": False, "owner": "erin", "due": day, "reason": "She knows it"}
    with caplog.at_level(logging.INFO):
        note = fill_in("follow_up", change="CHG-1001", **moved).splitlines()
        fill_in("follow_up", change="CHG-1001", **moved)
    assert note[0] == f"CHG-1001: dora moves follow-up 2 to erin until {day} 23:59 UTC: She knows it"
    assert note[1] == (
        f"Still open: 1 (alice, by {LATER:%Y-%m-%d} 23:59 UTC), 2 (erin, by {day} 23:59 UTC), "
        f"the workaround (by {LATER:%Y-%m-%d %H:%M} UTC)."
    )
    assert caplog.text.count("↪️ CHG-1001: @dora moves follow-up 2 to erin") == 1
    for run, about in enumerate(("1", "2", "workaround")):
        note = fill_in("follow_up", run=f"done-{run}", change="CHG-1001", about=about, reason="It is so").splitlines()
    assert note == ["CHG-1001: workaround is gone, says dora: It is so", "Nothing of it is open any more."]
    owed = aftercare.of_change(ended, "CHG-1001")
    assert owed is not None
    assert (owed.workaround_until, [each.is_done for each in owed.follow_ups]) == (None, [True, True])
    with pytest.raises(AirflowFailException, match="follow-up 1 of CHG-1001 is done already"):
        fill_in("follow_up", run="done-4", change="CHG-1001", about="1", reason="It is so")
