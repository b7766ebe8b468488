"""Undoes one step, in a task of its own or in `close`."""

from changewindow.changes.handover import Undone
from changewindow.changes.run_decisions import decision
from changewindow.changes.run_memory import apply_ended, is_undone, may_have_started, remembered
from changewindow.changes.step_lock import lock_undo
from changewindow.documents.findings import Finding
from changewindow.errors import ChangeError, LedgerDown, LockRevoked, NotAllowed, StepFailed
from changewindow.flow.published_text import require_passed_text, require_text
from changewindow.flow.runtime import Run, log, now
from changewindow.flow.tasks.silences import silences_renewed
from changewindow.flow.tasks.steps import ChangeOperator
from changewindow.ledger import leases, payloads
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context as StepContext

LONGEST = 300
"""Characters of what a step has gone back to."""


class Undo(ChangeOperator):
    """Undoes one step, if it started and the change is not kept; may run twice."""

    tries_again = True

    def do(self, run: Run) -> None:
        """Undo the step."""
        require_rollback(run)
        with silences_renewed(run):
            undo_step(run, self.node.number, self)


def require_rollback(run: Run) -> None:
    """Make sure that this run may roll back.

    Raises:
        NotAllowed: the run does not hold the change, or the watch decided to keep it.
    """
    decided = decision(run)
    if decided is not None and decided.route == "succeed":
        sentence = "the watch proved the change good"
        raise NotAllowed(run.change.id, [Finding("proved_good", sentence, "To roll it back, run it in mode rollback.")])
    try:
        leases.require_running(run.ledger, run.change.id, run=run.id, now=now())
    except LedgerDown as down:
        log.warning("%s", down)


def require_later_undone(run: Run, number: int) -> None:
    """Make sure that a step may be undone though the undo of a later one has failed.

    Raises:
        StepFailed: the ticket says to stop then.
    """
    if run.ticket.rollback.after_failure != "stop":
        return
    for later in may_have_started(run, len(run.ticket.steps)):
        if later > number and not is_undone(run, later):
            raise StepFailed(f"Step {later} is not undone, and the ticket says to stop then. Undo both by hand.")


def undo_step(run: Run, number: int, task: ChangeOperator) -> None:
    """Undo one step, holding the step lock.

    Raises:
        MemoryUnknown: whether it acted, and on what, cannot be read now.
        ChangeError: it failed; the step may be half undone, and undo may be run again.
    """
    is_asked = require_text(run, forward=False)
    memory = remembered(run, number)
    if memory is None:
        log.info("step %s never started: nothing to undo", number)
        return
    if not is_asked:
        require_passed_text(run)
    require_later_undone(run, number)
    step = run.ticket.steps[number - 1]
    task.acting = context = run.step_context(number, apply_ended=apply_ended(run, number))
    with lock_undo(run.step_lock, f"{run.id}/{run.task}", context):
        run.note(payloads.Undoing(step=number, name=step.name))
        try:
            _undo(step, context, memory, by_hand=run.ticket.rollback.by_hand)
        except ChangeError as error:
            ended = payloads.UndoStopped if isinstance(error, LockRevoked) else payloads.UndoFailed
            run.note(ended(step=number, name=step.name, reason=str(error)))
            raise
        run.hand_over(Undone(step=number, at=now()))
        back_to = _restored(step, memory)
        log.info("'%s' is undone%s", step.name, f"; it is back to {back_to}" if back_to else "")
        run.note(payloads.Undone(step=number, name=step.name, restored=back_to))


def _restored(step: StepBase, memory: Memory) -> str:
    """Return what a step has gone back to; no undo fails because that cannot be told."""
    try:
        return " ".join(step.restored(memory).split())[:LONGEST]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        log.warning("what '%s' is back to cannot be told: %r", step.name, error)
        return ""


def _undo(step: StepBase, context: StepContext, memory: Memory, *, by_hand: str | None) -> None:
    """Undo a step; whatever goes wrong in it is a failed undo, because the change has to end with an outcome.

    Raises:
        ChangeError: it failed, or only a person can undo it.
    """
    if by_hand:
        raise StepFailed(f"'{step.name}' has no undo: {by_hand.rstrip('.')}. Undo it by hand, then run release_target.")
    try:
        step.undo(context, memory)
    except ChangeError:
        raise
    except Exception as error:
        log.exception("undo of '%s' broke off", step.name)
        raise StepFailed(f"undo of '{step.name}' broke off: {type(error).__name__} {error}") from error
    context.require_lock()
