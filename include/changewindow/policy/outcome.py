"""Decides how a change ended, from what its tasks left behind."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["completed", "rolled_back", "rollback_failed", "refused", "missed", "rejected", "cancelled"]


@dataclass(frozen=True)
class Left:
    """What the tasks of a run left behind, when nothing acts any more."""

    refusal: tuple[Outcome, str] | None
    """The gate's no: outcome and reasons."""
    is_through_gate: bool
    is_kept: bool
    """Whether the watch proved the change good and nothing was taken back."""
    started: tuple[int, ...]
    """Numbers of the steps that started."""
    not_undone: tuple[tuple[int, str], ...]
    """Numbers of started steps whose undo failed, each with its reason."""
    is_verified: bool
    """Whether everything was found to be as before."""
    why_back: str
    """Why the change was taken back."""
    not_verified: str = ""
    is_aborted: bool = False
    """Whether a person ended it; `why_back` says who."""


def outcome(left: Left) -> tuple[Outcome, str]:
    """Return the outcome of a run with its reason."""
    if left.is_kept:
        return "completed", left.why_back
    if left.refusal:
        return left.refusal
    if not left.is_through_gate:
        return "cancelled", "the run ended before its gate"
    if not left.started:
        return "cancelled" if left.is_aborted else "refused", left.why_back or "no step started"
    if left.not_undone:
        failed = "; ".join(f"undo of step {number}: {reason}" for number, reason in left.not_undone)
        return "rollback_failed", f"{failed}. Taken back because: {left.why_back}"
    if not left.is_verified:
        return "rollback_failed", f"undone, but not verified: {left.not_verified}. Taken back because: {left.why_back}"
    return "rolled_back", left.why_back
