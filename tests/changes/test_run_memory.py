"""What is known of a run: from what its tasks handed over, else from the ledger, else not at all."""

from datetime import UTC, datetime
from typing import Any

import pytest

from changewindow.changes import handover, run_memory
from changewindow.changes.run_decisions import decision
from changewindow.changes.run_memory import Holder
from changewindow.errors import MemoryUnknown
from changewindow.ledger import payloads
from changewindow.policy.standing import Mode
from changewindow.ticket.model import Condition
from support.run_memory import KnownRun

AT = datetime(2026, 3, 17, 14, 5, tzinfo=UTC)
MEMORY = {"replicas": 3}
KEPT = payloads.Remembered(step=1, name="Scale", remembered=MEMORY)


def run(*events: Any, **changed: Any) -> KnownRun:
    """Return a run with these events in the ledger."""
    return KnownRun(events=list(events), **changed)


def test_what_a_step_remembered_is_known_from_its_task() -> None:
    """Also while the ledger is down."""
    known = run(ledger_is_down=True).hand_over("apply_1", handover.Remembered(memory=MEMORY))
    assert run_memory.remembered(known, 1) == MEMORY


def test_what_a_step_remembered_is_known_from_the_ledger() -> None:
    """When its XCom is gone, or garbage."""
    assert run_memory.remembered(run(KEPT), 1) == MEMORY
    assert run_memory.remembered(run(KEPT, xcoms={("apply_1", "remembered"): "?"}), 1) == MEMORY


EDITED = {("apply_1", "remembered"): {"version": 1, "memory": {"replicas": 0}}}


def test_an_edited_remembered_value_does_not_change_what_undo_writes() -> None:
    """The ledger says it; while it is down, nobody does, and undo is tried again."""
    assert run_memory.remembered(run(KEPT, xcoms=EDITED), 1) == MEMORY
    assert run_memory.remembered(run(xcoms=EDITED), 1) is None
    with pytest.raises(MemoryUnknown):
        run_memory.remembered(run(xcoms=EDITED, ledger_is_down=True, task_states={"apply_1": "failed"}), 1)


def test_what_the_ledger_does_not_have_is_known_from_the_task() -> None:
    """Somebody has deleted it there: the seal says that a task of this run has remembered it."""
    assert run_memory.remembered(run().hand_over("apply_1", handover.Remembered(memory=MEMORY)), 1) == MEMORY


def test_an_edited_baseline_does_not_change_what_is_compared() -> None:
    """The ledger says what was read before."""
    left = {("baseline", "before"): {"version": 1, "readings": {"errors": [99.0]}}}
    kept = payloads.Baseline(before={"errors": [1.0]})
    assert run_memory.baseline(run(kept, xcoms=left), compared("ratio")) == {"errors": [1.0]}
    assert run_memory.baseline(run(xcoms=left), compared("ratio")) == {}


def test_edited_facts_say_neither_that_a_step_was_applied_nor_that_it_was_undone() -> None:
    """Only what has the seal of a task does."""
    at = {"version": 1, "at": AT.isoformat()}
    known = run(xcoms={("apply_1", "applied"): at, ("undo_1", "undone_1"): {**at, "step": 1}})
    assert (run_memory.is_applied(known, 1), run_memory.is_undone(known, 1)) == (False, False)


def test_a_step_that_was_applied_again_is_not_undone() -> None:
    """Whatever its earlier undo has left."""
    acts = [payloads.Applied(step=1, name="Scale"), payloads.Undone(step=1, name="Scale")]
    known = run(*acts).hand_over("undo_1", handover.Undone(step=1, at=AT))
    assert run_memory.is_undone(known, 1)
    known.events.append(acts[0])
    assert not run_memory.is_undone(known, 1)


def test_only_a_ledger_that_answers_says_that_a_step_never_started() -> None:
    """It has nothing of the step, so there is nothing to undo."""
    assert run_memory.remembered(run(task_states={"apply_1": "failed"}), 1) is None


@pytest.mark.parametrize("state", ["success", "failed", "running", "skipped", None])
@pytest.mark.parametrize("left", [{}, {("apply_1", "remembered"): "?"}])
def test_with_neither_xcom_nor_ledger_it_is_not_known(state: str | None, left: dict[tuple[str, str], Any]) -> None:
    """Whatever the colour of the task: people set states, and a task that died had no time to leave anything."""
    known = run(task_states={"apply_1": state}, xcoms=left, ledger_is_down=True)
    with pytest.raises(MemoryUnknown, match="CHG-1042: it is not known whether step 1 has acted, and on what"):
        run_memory.remembered(known, 1)
    assert run_memory.may_have_started(known, 1) == (1,)


def test_without_the_ledger_airflow_says_what_it_never_ran() -> None:
    """A step whose task was not run because one before it failed, or was refused at its first try, did nothing."""
    known = run(task_states={"apply_1": "failed", "apply_2": "upstream_failed"}, ledger_is_down=True)
    known.hand_over("apply_1", handover.NotStarted())
    assert run_memory.may_have_started(known, 2) == ()


def test_a_rollback_of_another_run_asks_the_ledger_alone() -> None:
    """The tasks of this run have handed over nothing; of several runs, the newest counts."""
    newest = KEPT.model_copy(update={"remembered": {"replicas": 5}})
    assert run_memory.remembered(run(KEPT, newest, mode="rollback"), 1) == {"replicas": 5}
    with pytest.raises(MemoryUnknown):
        run_memory.remembered(run(mode="rollback", task_states={"apply_1": "skipped"}, ledger_is_down=True), 1)


def test_how_apply_ended() -> None:
    """Applied, failed of its own accord, or cut short; what nobody knows counts as cut short."""
    applied = payloads.Applied(step=1, name="Scale")
    assert run_memory.apply_ended(run(applied), 1) == "applied"
    assert run_memory.apply_ended(run().hand_over("apply_1", handover.Applied(at=AT)), 1) == "applied"
    assert run_memory.apply_ended(run().hand_over("apply_1", handover.Failed(at=AT)), 1) == "failed"
    assert run_memory.apply_ended(run(), 1) == "cut_short"
    assert run_memory.apply_ended(run(ledger_is_down=True), 1) == "cut_short"
    assert run_memory.apply_ended(run(xcoms={("apply_1", "failed"): ["?"]}), 1) == "cut_short"


def compared(by: str | None) -> tuple[Condition, ...]:
    """Return a condition that is compared with the baseline, or not."""
    source = {"kind": "command", "run": ["true"]}
    compare = {"compare": {"by": by}} if by else {}
    return (Condition.model_validate({"name": "errors", "source": source, "pass": {"below": 2}, **compare}),)


def test_the_baseline_is_unknown_only_to_what_compares_with_it() -> None:
    """Else the ledger need not be up."""
    known = run(ledger_is_down=True)
    assert run_memory.baseline(known, compared(None)) == {}
    with pytest.raises(MemoryUnknown, match="what was read before the change"):
        run_memory.baseline(known, compared("ratio"))
    known.hand_over("baseline", handover.Baseline(readings={"errors": [1.0]}))
    assert run_memory.baseline(known, compared("ratio")) == {"errors": [1.0]}


@pytest.mark.parametrize(
    ("xcoms", "held"),
    [
        ({}, Holder("approved")),
        ({("gate", "passed"): {"version": 1, "token": 7}}, Holder("running", "run")),
        ({("gate", "passed"): "yes"}, Holder("running", "run")),
    ],
    ids=["refused", "unsealed: what it may have done is undone", "garbage: what it may have done is undone"],
)
def test_without_the_ledger_the_gate_says_who_holds_the_change(xcoms: Any, held: Holder) -> None:
    """The run itself, if it passed."""
    assert run_memory.holder(run(xcoms=xcoms, ledger_is_down=True)) == held


def test_without_the_ledger_a_gate_that_was_passed_says_that_its_run_holds_the_change() -> None:
    """Under seal."""
    known = run(ledger_is_down=True).hand_over("gate", handover.Passed(token=7))
    assert run_memory.holder(known) == Holder("running", "run")


def test_a_decision_that_cannot_be_read_is_none() -> None:
    """Never a good one."""
    assert decision(run(xcoms={("watch", "decision"): "succeed"})) is None


def started(mode: Mode, **values: Any) -> payloads.Started:
    """Return the event of a run that passed the gate with these values."""
    return payloads.Started(digest="d", mode=mode, token=1, targets=("test/orders",), values=values)


@pytest.mark.parametrize(
    ("events", "values"),
    [
        pytest.param([started("run", limit=15)], {"limit": 15}, id="what was chosen"),
        pytest.param([started("run")], {}, id="the defaults, where nothing was chosen"),
        pytest.param([started("run", limit=10), started("run", limit=15)], {"limit": 15}, id="of the newest apply"),
        pytest.param([started("run", limit=15), started("rollback")], {"limit": 15}, id="not of an earlier rollback"),
        pytest.param([], {}, id="nothing, where nothing was applied"),
    ],
)
def test_a_rollback_has_the_values_with_which_the_change_was_applied(events: list[Any], values: dict[str, Any]) -> None:
    """Its own form may say something else, and shows the defaults."""
    assert run_memory.applied_values(run(*events, mode="rollback")) == values


def test_without_the_ledger_a_rollback_does_not_guess_the_values() -> None:
    """The defaults would undo something else than what was applied."""
    with pytest.raises(MemoryUnknown, match="it is not known with which parameters it was applied"):
        run_memory.applied_values(run(started("run", limit=15), mode="rollback", ledger_is_down=True))
