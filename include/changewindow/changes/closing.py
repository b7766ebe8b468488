"""Decides what `close` has to do: say how the run ended, or undo what is left, verify it, and record the outcome."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from changewindow.changes import run_decisions, run_memory
from changewindow.changes.handover import Over, Restored, Verified
from changewindow.changes.run_memory import Holder, RunMemory
from changewindow.policy.outcome import Left, Outcome, outcome
from changewindow.policy.standing import AGAIN


@dataclass(frozen=True)
class Closing:
    """What is left to do before the outcome of a run is known."""

    left: Left
    must_undo: bool = False
    """Whether something started and is not kept."""
    to_undo: tuple[int, ...] = ()
    """Steps that no task has undone, in the order in which they are undone."""

    def ended(self, not_undone: Sequence[tuple[int, str]] = (), not_verified: str = "") -> tuple[Outcome, str]:
        """Return the outcome with its reason; `not_undone` and `not_verified` say what did not work."""
        done = replace(self.left, not_undone=tuple(not_undone), not_verified=not_verified)
        return outcome(replace(done, is_verified=not not_undone and not not_verified))


def settled(memory: RunMemory, held: Holder) -> tuple[Outcome, str] | None:
    """Return how the run ended where nothing is to be recorded: it is closed already, or never held the change."""
    over = run_memory.legible(memory, Over, "gate")
    if held.is_run(memory.id) or (held.status in AGAIN and over is None):
        return None
    if held.run == memory.id and held.status not in AGAIN:
        return cast("Outcome", held.status), "this run is closed; nothing was done again"
    if over is not None:
        return "refused", over.reason
    refusal = run_decisions.refusal(memory)
    return "refused", refusal.reason if refusal else f"the change is {held.status}; nothing was touched"


def closing(memory: RunMemory, held: Holder, *, steps: int, task: str = "close") -> Closing:
    """Return what is left to do in a run that is to be closed; `task` is the one that closes it."""
    is_ours = held.is_run(memory.id)
    decision = run_decisions.decision(memory)
    states = memory.states()
    is_good = decision is not None and decision.route == "succeed" and states.get("succeed") == "success"
    is_kept = is_ours and is_good and not held.aborted
    started = run_memory.may_have_started(memory, steps) if is_ours else ()
    bad = sorted(name for name, state in states.items() if state == "failed" and name != task)
    unended = f" ({', '.join(bad)} failed)" if bad else ""
    why = (
        held.aborted
        or (decision.reason if decision else "")
        or f"the run ended before the change was proven good{unended}"
    )
    refusal = None if is_ours else run_decisions.refusal(memory)
    left = Left(
        refusal=(refusal.outcome, refusal.reason) if refusal else None,
        is_through_gate=is_ours,
        is_kept=is_kept,
        started=started,
        not_undone=(),
        is_verified=False,
        reason=why,
        is_aborted=held.aborted is not None,
    )
    if is_kept or not started:
        return Closing(left)
    return Closing(left, True, tuple(step for step in reversed(started) if not run_memory.is_undone(memory, step)))


def restored(memory: RunMemory, todo: Closing) -> Restored | None:
    """Return when everything was found to be as before, if that holds still: nothing has been undone since."""
    verified = None if todo.to_undo else run_memory.legible(memory, Verified, "verify")
    return Restored(at=verified.at) if verified else None
