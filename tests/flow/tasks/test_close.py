"""Close: undoes what is left, records the outcome, and is red unless the change is completed."""

import json
from datetime import UTC, datetime

import pytest
from airflow.sdk.exceptions import AirflowFailException

from changewindow.changes.handover import Closed, Decision, Restored, Undone, Verified
from changewindow.errors import LockRevoked, MemoryUnknown
from changewindow.ledger import changes, events, leases, presses
from changewindow.ledger.payloads import WatchDecided
from changewindow.steps.command import Step
from support.started_change import StartedChange

NOW = datetime(2026, 3, 17, 14, 5, tzinfo=UTC)
GOOD, BAD = Decision(route="succeed", reason="good for 1m"), Decision(route="undo", reason="errors = 7")


@pytest.fixture
def applied(started: StartedChange) -> StartedChange:
    """Return the change with both steps applied."""
    started.apply(1)
    started.apply(2)
    return started


def test_a_change_that_is_proven_good_is_completed(applied: StartedChange) -> None:
    """Close is green, nothing is undone, and the targets are free."""
    applied.hand_over("watch", GOOD)
    applied.task_instance.states["succeed"] = "success"
    applied.do("close")
    assert (applied.status, applied.undone(1).exists()) == ("completed", False)
    assert leases.leases(applied.ledger, applied.change.id) == []
    assert applied.left("close", Closed).is_news
    assert applied.task_instance.left["note"] == "completed: good for 1m"


def test_what_no_task_has_undone_is_undone_in_close(applied: StartedChange) -> None:
    """A run that a person has marked as failed leaves nothing applied."""
    applied.hand_over("watch", BAD)
    applied.hand_over("undo_2", Undone(step=2, at=NOW))
    with pytest.raises(AirflowFailException, match="is rolled_back: errors = 7"):
        applied.do("close")
    assert (applied.undone(2).exists(), applied.undone(1).exists()) == (False, True)
    assert (applied.status, applied.left("close", Restored) is not None) == ("rolled_back", True)
    assert [kind for kind in applied.kinds() if kind in {"undone", "verified", "closed", "review_asked"}] == [
        "undone",
        "verified",
        "closed",
        "review_asked",
    ]


def test_what_was_undone_and_verified_is_only_recorded(applied: StartedChange) -> None:
    """With the moment at which everything was as before."""
    for step in (1, 2):
        applied.hand_over(f"undo_{step}", Undone(step=step, at=NOW))
    applied.hand_over("verify", Verified(at=NOW))
    with pytest.raises(AirflowFailException, match="is rolled_back"):
        applied.do("close")
    assert applied.left("close", Restored) == Restored(at=NOW)
    assert "verified" not in applied.kinds()


def test_what_is_not_as_before_keeps_the_targets(applied: StartedChange) -> None:
    """A person has to look."""
    (applied.folder / "health").write_text("0")
    with pytest.raises(AirflowFailException, match="is rollback_failed: undone, but not verified"):
        applied.do("close")
    assert applied.status == "rollback_failed"
    assert leases.leases(applied.ledger, applied.change.id) != []


def test_closing_twice_does_nothing_again(applied: StartedChange) -> None:
    """Its outcome stays, and no second message is sent."""
    with pytest.raises(AirflowFailException):
        applied.do("close")
    applied.undone(1).unlink()
    applied.task_instance.clear()
    with pytest.raises(AirflowFailException, match="is rolled_back: this run is closed"):
        applied.do("close")
    assert (applied.undone(1).exists(), applied.left("close", Closed).is_news) == (False, False)
    assert applied.kinds().count("review_asked") == 1


def test_who_is_ended_while_undoing_decides_nothing(applied: StartedChange, monkeypatch: pytest.MonkeyPatch) -> None:
    """The change stays running, so that housekeeping has it rolled back."""

    def lose(*_: object) -> None:
        raise LockRevoked(applied.change.id, "close")

    monkeypatch.setattr(Step, "undo", lose)
    with pytest.raises(AirflowFailException, match="lost the step lock"):
        applied.do("close")
    assert (applied.status, "closed" in applied.kinds()) == ("running", False)


def test_what_cannot_be_read_is_tried_again_and_ends_as_a_failed_rollback(
    applied: StartedChange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the XComs gone and the ledger down: never 'nothing to undo', and not closed before the last try."""
    applied.lose_the_ledger(monkeypatch)
    applied.task_instance.xcoms["gate", "passed"] = {"token": 1}
    applied.task_instance.max_tries = 1
    with pytest.raises(MemoryUnknown):
        applied.do("close")
    assert not applied.task_instance.left
    applied.task_instance.clear()
    with pytest.raises(AirflowFailException, match=r"is rollback_failed: undo of step 2: .* not known whether step 2"):
        applied.do("close")
    kept = [json.loads(line) for line in (applied.folder / "spool.jsonl").read_text().splitlines()]
    assert [entry["outcome"] for entry in kept if entry["do"] == "close"] == ["rollback_failed"]
    assert changes.get(applied.ledger, applied.change.id).status == "running"


def test_the_garbage_of_a_user_is_no_good_decision(applied: StartedChange) -> None:
    """Whoever edits the XCom of the watch gets a rollback, not a completed change."""
    applied.task_instance.states["succeed"] = "success"
    applied.task_instance.xcoms["watch", "decision"] = {"route": "succeed"}
    with pytest.raises(AirflowFailException, match="is rolled_back"):
        applied.do("close")


def test_an_edited_decision_over_an_undone_change_records_what_the_watch_has_decided(applied: StartedChange) -> None:
    """Though `succeed` was marked green, and the edited value has the seal of another one."""
    applied.run("watch").record(WatchDecided(route=BAD.route, reason=BAD.reason))
    applied.hand_over("watch", BAD)
    edited = {**applied.task_instance.xcoms["watch", "decision"], "route": "succeed", "reason": "all good"}
    applied.task_instance.xcoms["watch", "decision"] = edited
    applied.task_instance.states["succeed"] = "success"
    with pytest.raises(AirflowFailException, match="is rolled_back: errors = 7"):
        applied.do("close")
    assert (applied.status, applied.undone(1).exists()) == ("rolled_back", True)


def test_a_run_that_was_under_way_during_the_upgrade_is_closed_by_what_the_ledger_says(applied: StartedChange) -> None:
    """What the version before has left has no seal; the ledger says the same."""
    applied.run("watch").record(WatchDecided(route=GOOD.route, reason=GOOD.reason))
    applied.task_instance.xcoms["watch", "decision"] = GOOD.model_dump(mode="json")
    applied.task_instance.states["succeed"] = "success"
    applied.do("close")
    assert applied.status == "completed"


def test_a_dry_run_closes_nothing(applied: StartedChange) -> None:
    """It is red if one of its tasks was."""
    applied.do("close", mode="dry_run")
    applied.task_instance.states["apply_1"] = "failed"
    with pytest.raises(AirflowFailException, match=r"The dry run failed: apply_1\."):
        applied.do("close", mode="dry_run")
    assert applied.status == "running"


@pytest.mark.parametrize("of_another", [False, True])
def test_a_wanted_rollback_whose_run_ends_before_its_gate_is_told(
    started: StartedChange, caplog: pytest.LogCaptureFixture, *, of_another: bool
) -> None:
    """It can be asked for again; the end of another run says nothing of it."""
    started.hand_over("watch", GOOD)
    started.task_instance.states["succeed"] = "success"
    started.do("close")
    for _ in range(2):
        with started.ledger.transaction() as session:
            row = events.locked(session, started.change.id)
            presses.want_rollback_in(session, row, "carol", "a click in Slack", now=datetime.now(UTC))
        asked = presses.wanted_rollback(started.ledger, started.change.id)
        assert asked is not None
        run = started.run("close", "rollback")
        run.context["run_id"] = "take_back_wanted_1" if of_another else asked.run
        with pytest.raises(AirflowFailException, match="nothing was touched"):
            started.dag.get_task("close").execute(run.context)
        assert presses.wanted_rollback(started.ledger, started.change.id) == (asked if of_another else None)
        if of_another:
            return
    reason = f"its run {asked.run} ended before its gate"
    assert f"🚨 {started.change.id} is NOT rolled back, as carol had asked: {reason}. Ask for it again." in caplog.text
