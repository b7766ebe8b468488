"""Decides how a change ended, from what its tasks left behind."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["completed", "rolled_back", "rollback_failed", "refused", "missed", "rejected", "cancelled"]


@dataclass(frozen=True)
class Left:
    """What the tasks of a run left behind, when nothing acts any more."""

    refusal: tuple[Outcome, str] | None
    """How the gate refused the run: outcome and reasons."""
    is_through_gate: bool
    is_kept: bool
    """Whether the watch proved the change good, so that nothing is rolled back."""
    started: tuple[int, ...]
    """Numbers of the steps that started."""
    not_undone: tuple[tuple[int, str], ...]
    """Numbers of started steps whose undo failed, each with its reason."""
    is_verified: bool
    """Whether everything was found to be as before."""
    reason: str
    """Why the change is kept or rolled back."""
    not_verified: str = ""
    is_aborted: bool = False
    """Whether a person ended it; `reason` says who."""


def outcome(left: Left) -> tuple[Outcome, str]:
    """Return the outcome of a run with its reason."""
    if left.is_kept:
        return "completed", left.reason
    if left.refusal:
        return left.refusal
    if not left.is_through_gate:
        return "cancelled", "the run ended before its gate"
    if not left.started:
        return "cancelled" if left.is_aborted else "refused", left.reason or "no step started"
    if left.not_undone:
        failed = ";\n".join(f"undo of step {number}: {reason.removesuffix('.')}" for number, reason in left.not_undone)
        return "rollback_failed", f"{failed}.\nRolled back because: {left.reason}"
    if not left.is_verified:
        not_verified = f"undone, but not verified: {left.not_verified.removesuffix('.')}."
        return "rollback_failed", f"{not_verified}\nRolled back because: {left.reason}"
    return "rolled_back", left.reason
