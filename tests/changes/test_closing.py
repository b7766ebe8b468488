"""What `close` decides, from what is known of its run."""

from datetime import UTC, datetime
from typing import Any

import pytest

from changewindow.changes import handover
from changewindow.changes.closing import closing, restored, settled
from changewindow.changes.run_memory import Holder, holder
from changewindow.ledger import payloads
from support.run_memory import KnownRun

AT = datetime(2026, 3, 17, 14, 5, tzinfo=UTC)
GOOD = handover.Decision(route="succeed", reason="good for 10m")
BAD = handover.Decision(route="undo", reason="errors = 7")


def known(*started: int, decided: handover.Decision | None = None, **changed: Any) -> KnownRun:
    """Return a run that holds the change, in which steps have started."""
    run = KnownRun(**changed)
    run.events += [payloads.Remembered(step=step, name="Act", remembered={}) for step in started]
    return run.hand_over("watch", decided) if decided else run


def test_a_change_that_is_proven_good_is_kept() -> None:
    """When the watch says so and `succeed` was green."""
    todo = closing(run := known(1, 2, decided=GOOD, task_states={"succeed": "success"}), run.held, steps=2)
    assert (todo.must_undo, todo.ended()) == (False, ("completed", "good for 10m"))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"decided": BAD}, "errors = 7"),
        ({"decided": GOOD, "task_states": {"succeed": "failed"}}, "good for 10m"),
        ({"decided": GOOD, "task_states": {"succeed": "skipped"}}, "good for 10m"),
        (
            {
                "decided": GOOD,
                "task_states": {"succeed": "success"},
                "held": Holder("running", "run", "aborted by dora: smoke"),
            },
            "aborted by dora: smoke",
        ),
        (
            {"task_states": {"apply_2": "failed", "close": "failed"}},
            "the run ended before the change was proven good (apply_2 failed)",
        ),
        (
            {"xcoms": {("watch", "decision"): "succeed"}, "task_states": {"succeed": "success"}},
            "the run ended before the change was proven good",
        ),
    ],
    ids=["bad", "succeed failed", "succeed was skipped", "aborted", "no decision", "a decision that is garbage"],
)
def test_what_is_not_kept_is_undone_in_reverse(changed: Any, why: str) -> None:
    """And the reason is that of the watch or of the person."""
    todo = closing(run := known(1, 2, **changed), run.held, steps=2)
    assert (todo.must_undo, todo.to_undo) == (True, (2, 1))
    assert todo.ended() == ("rolled_back", why)


EDITED: dict[str, Any] = {"xcoms": {("watch", "decision"): {"version": 1, "route": "succeed", "reason": "all good"}}}


@pytest.mark.parametrize("ledger_is_down", [False, True])
@pytest.mark.parametrize("events", [[], [payloads.WatchDecided(route="undo", reason="errors = 7")]])
def test_an_edited_decision_closes_nothing_as_completed(events: list[Any], *, ledger_is_down: bool) -> None:
    """Though `succeed` was marked green: the ledger says what the watch has decided, else nobody does."""
    run = known(1, task_states={"succeed": "success"}, **EDITED, ledger_is_down=ledger_is_down)
    run.events += events
    todo = closing(run, run.held, steps=1)
    assert (todo.must_undo, todo.ended()[0]) == (True, "rolled_back")
    assert "all good" not in todo.ended()[1]


def test_of_two_decisions_that_differ_the_one_that_keeps_nothing_counts() -> None:
    """The one of the ledger, or the one that the watch could not write into it."""
    for task, recorded in ((GOOD, BAD), (BAD, GOOD)):
        run = known(1, decided=task, task_states={"succeed": "success"})
        run.events.append(payloads.WatchDecided(route=recorded.route, reason=recorded.reason))
        assert closing(run, run.held, steps=1).must_undo


def test_an_edited_refusal_records_no_outcome() -> None:
    """Whatever outcome it names."""
    left = {("gate", "refused"): {"version": 1, "outcome": "completed", "reason": "all good"}}
    run = known(held=Holder("approved"), xcoms=left)
    assert closing(run, run.held, steps=1).ended()[0] == "cancelled"


def test_what_was_undone_already_is_not_undone_again() -> None:
    """By its own task, or by `close` itself before it died."""
    run = known(1, 2, 3, decided=BAD).hand_over("undo_3", handover.Undone(step=3, at=AT))
    run.hand_over("close", handover.Undone(step=2, at=AT))
    assert closing(run, run.held, steps=3).to_undo == (1,)


def test_a_step_of_which_nothing_is_known_counts_as_started() -> None:
    """Its undo fails while it is unknown, and the change ends `rollback_failed`, never as if nothing was done."""
    run = known(decided=BAD, ledger_is_down=True, task_states={"apply_1": "failed", "apply_2": "upstream_failed"})
    run.hand_over("gate", handover.Passed(token=7))
    todo = closing(run, holder(run), steps=2)
    assert todo.to_undo == (1,)
    outcome, reason = todo.ended([(1, "it is not known")])
    assert (outcome, "undo of step 1: it is not known" in reason) == ("rollback_failed", True)


def test_what_is_not_as_before_is_a_failed_rollback() -> None:
    """With what was found."""
    todo = closing(run := known(1, decided=BAD), run.held, steps=1)
    assert todo.ended(not_verified="status = 500")[0] == "rollback_failed"


@pytest.mark.parametrize(
    ("changed", "ended"),
    [
        ({"decided": BAD}, ("refused", "errors = 7")),
        (
            {"held": Holder("running", "run", "aborted by dora: smoke")},
            ("cancelled", "aborted by dora: smoke"),
        ),
        ({"held": Holder("approved")}, ("cancelled", "the run ended before its gate")),
        (
            {"held": Holder("approved"), "events": [payloads.Refused(outcome="missed", reasons=("late",))]},
            ("missed", "late"),
        ),
    ],
    ids=["nothing started", "aborted before anything started", "ended before the gate", "refused at the gate"],
)
def test_where_nothing_started_there_is_nothing_to_undo(changed: Any, ended: tuple[str, str]) -> None:
    """The outcome says why."""
    todo = closing(run := known(**changed), run.held, steps=1)
    assert (settled(run, run.held), todo.must_undo, todo.ended()) == (None, False, ended)


@pytest.mark.parametrize(
    ("held", "changed", "ended"),
    [
        (Holder("completed", "run"), {}, ("completed", "this run is closed; nothing was done again")),
        (Holder("running", "other"), {}, ("refused", "the change is running; nothing was touched")),
        (
            Holder("completed", "other"),
            {"events": [payloads.Refused(outcome="refused", reasons=("it is closed",))]},
            ("refused", "it is closed"),
        ),
        (
            Holder("completed", "other"),
            {"xcoms": {("gate", "refused"): 7}},
            ("refused", "the change is completed; nothing was touched"),
        ),
    ],
    ids=["closed already", "another run acts", "refused", "refused, with garbage for a reason"],
)
def test_a_run_that_does_not_hold_the_change_records_nothing(
    held: Holder, changed: Any, ended: tuple[str, str]
) -> None:
    """It only says so."""
    assert settled(KnownRun(held=held, **changed), held) == ended


def test_what_was_verified_holds_until_something_is_undone() -> None:
    """Then everything is looked at again."""
    run = known(1, decided=BAD).hand_over("verify", handover.Verified(at=AT))
    assert restored(run, closing(run, run.held, steps=1)) is None
    run.hand_over("undo_1", handover.Undone(step=1, at=AT))
    assert restored(run, closing(run, run.held, steps=1)) == handover.Restored(at=AT)
