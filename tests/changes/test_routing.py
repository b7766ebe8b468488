"""Where a run goes after its steps."""

from typing import Any

import pytest

from changewindow.changes import handover
from changewindow.changes.routing import by_answer, route_at_once, route_dry
from changewindow.changes.run_memory import Holder
from changewindow.ledger import payloads
from support.run_memory import KnownRun

BOTH = {"apply_1": "success", "apply_2": "success"}


def applied(*steps: int, **changed: Any) -> KnownRun:
    """Return a run that holds the change and has applied some of its two steps."""
    run = KnownRun(**{"task_states": BOTH, **changed})
    for step in steps:
        run.events += [
            payloads.Remembered(step=step, name="Act", remembered={}),
            payloads.Applied(step=step, name="Act"),
        ]
    return run


def started(*steps: int, **changed: Any) -> KnownRun:
    """Return a run in which steps have started and did not come to their end."""
    run = KnownRun(**changed)
    run.events += [payloads.Remembered(step=step, name="Act", remembered={}) for step in steps]
    return run


def test_a_run_whose_steps_are_all_applied_is_watched() -> None:
    """Nothing is decided without a watch."""
    assert route_at_once(applied(1, 2), steps=2, reason=None) is None


@pytest.mark.parametrize(
    ("run", "route", "reason"),
    [
        pytest.param(
            applied(1, 2, held=Holder("approved")),
            "nothing",
            "nothing was started in this run",
            id="refused at the gate",
        ),
        pytest.param(
            applied(1, 2, held=Holder("running", "other")),
            "nothing",
            "nothing was started in this run",
            id="another run acts",
        ),
        pytest.param(applied(mode="rollback"), "undo", "asked for by a person", id="rollback"),
        pytest.param(
            applied(task_states={"apply_1": "failed", "apply_2": "upstream_failed"}),
            "nothing",
            "apply_1, apply_2: no step started",
            id="no step started",
        ),
        pytest.param(
            applied(held=Holder("running", "run", "aborted by dora: smoke")),
            "nothing",
            "aborted by dora: smoke",
            id="aborted before a step started",
        ),
        pytest.param(
            applied(1, 2, held=Holder("running", "run", "aborted by dora: smoke")),
            "undo",
            "aborted by dora: smoke",
            id="aborted",
        ),
        pytest.param(
            started(1, task_states={"apply_1": "failed", "apply_2": "upstream_failed"}),
            "undo",
            "apply_1 (failed) did not succeed; its log says why",
            id="a step failed",
        ),
        pytest.param(
            started(1, task_states=BOTH),
            "undo",
            "apply_1 (success), apply_2 (success) did not succeed; its log says why",
            id="marked success by hand, not applied",
        ),
        pytest.param(
            applied(1, 2, task_states={**BOTH, "apply_2": "failed"}),
            "undo",
            "apply_2 (failed) did not succeed; its log says why",
            id="applied, and marked failed by hand",
        ),
    ],
)
def test_a_run_that_needs_no_watch_is_routed_at_once(run: KnownRun, route: str, reason: str) -> None:
    """With its reason."""
    decided = route_at_once(run, steps=2, reason=None)
    assert decided == handover.Decision(route=route, reason=reason)  # type: ignore[arg-type]


def test_why_a_step_failed_is_said() -> None:
    """Logs go, the ledger stays: the reason of a rollback is not only a hint at a log."""
    why = handover.NotGood(reason="'migrate' ended with exit code 3; its output is in the log.")
    run = started(1, task_states={"apply_1": "failed", "apply_2": "upstream_failed"}).hand_over("apply_1", why)
    said = "apply_1 failed: 'migrate' ended with exit code 3; its output is in the log"
    assert route_at_once(run, steps=2, reason=None) == handover.Decision(route="undo", reason=said)
    never = applied(task_states={"apply_1": "failed", "apply_2": "upstream_failed"}).hand_over("apply_1", why)
    assert route_at_once(never, steps=2, reason=None) == handover.Decision(
        route="nothing", reason=f"{said}; no step started"
    )
    begun = started(1, task_states={"apply_1": "failed"}).hand_over("apply_1", handover.NotGood(reason="it has begun"))
    begun.events.append(payloads.ApplyFailed(step=1, name="Act", reason=why.reason))
    assert route_at_once(begun, steps=1, reason=None) == handover.Decision(route="undo", reason=said)
    dry = KnownRun(task_states={**BOTH, "apply_2": "failed"}).hand_over("apply_2", why)
    assert route_dry(dry, steps=2, reason="errors = 7").reason == f"dry run: {said.replace('apply_1', 'apply_2')}"


def test_what_is_not_known_to_be_applied_is_not_watched() -> None:
    """With neither XCom nor ledger, a green task proves nothing: the run is rolled back."""
    run = applied(1, 2, ledger_is_down=True).hand_over("gate", handover.Passed(token=7))
    decided = route_at_once(run, steps=2, reason=None)
    assert decided is not None
    assert decided.route == "undo"


def test_a_rollback_carries_its_reason() -> None:
    """As the person gave it."""
    decided = route_at_once(applied(mode="rollback"), steps=2, reason="bad hours later")
    assert decided == handover.Decision(route="undo", reason="bad hours later")


def test_a_dry_run_succeeds_when_every_step_was_tried() -> None:
    """Whatever the one sample was."""
    assert route_dry(KnownRun(task_states=BOTH), steps=2, reason="errors = 7").route == "succeed"
    failed = route_dry(KnownRun(task_states={**BOTH, "apply_2": "failed"}), steps=2, reason="errors = 7")
    assert failed == handover.Decision(route="nothing", reason="dry run: apply_2 failed")


@pytest.mark.parametrize(
    ("person", "keeps", "decided"),
    [
        ("bob", True, ("pass", "bob keeps it, though nothing is known")),
        ("Bob ", True, ("pass", "Bob  keeps it, though nothing is known")),
        ("alice", False, ("fail", "alice rolls it back: nothing is known")),
        ("carol", True, ("fail", "carol answered, alice, bob were asked; nothing is known")),
        ("", True, ("fail", "nobody answered, alice, bob were asked; nothing is known")),
    ],
)
def test_only_who_was_asked_can_keep_a_change(person: str, *, keeps: bool, decided: tuple[str, str]) -> None:
    """Everybody else's answer rolls it back."""
    assert by_answer(person, ("alice", "bob"), keeps=keeps, because="nothing is known") == decided
