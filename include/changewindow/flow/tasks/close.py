"""Close: the teardown that runs whatever happened, undoes what is left, and records how the change ended."""

import logging
from contextlib import nullcontext

from airflow.sdk.exceptions import AirflowFailException

from changewindow.changes import owed, run_memory
from changewindow.changes.closing import Closing, closing, restored, settled
from changewindow.changes.handover import Closed, Restored
from changewindow.errors import ChangeError, LockRevoked, MemoryUnknown
from changewindow.flow.owed import emergencies
from changewindow.flow.published_text import require_text
from changewindow.flow.runtime import Run, log, now
from changewindow.flow.tasks.preflight import ask_once
from changewindow.flow.tasks.silences import end_silences, silences_renewed
from changewindow.flow.tasks.steps import ChangeOperator
from changewindow.flow.tasks.undo import undo_step
from changewindow.flow.wanted import give_up
from changewindow.ledger import payloads
from changewindow.ledger.closing import Closing as End
from changewindow.policy.outcome import Outcome


class Close(ChangeOperator):
    """Undoes whatever was applied and is not kept, records the outcome, releases the targets; red unless completed."""

    def do(self, run: Run) -> None:
        """Close the run."""
        if run.is_dry:
            self._close_dry(run)
            return
        held = run_memory.holder(run)
        ended = settled(run, held)
        if ended:
            if held.run == run.id:
                end_silences(run)
            give_up(run)
            self._end(run, *ended, is_news=False)
            return
        if held.is_run(run.id):
            require_text(run, forward=False)
        todo = closing(run, held, steps=len(run.change.ticket.steps))
        with silences_renewed(run) if todo.must_undo else nullcontext():
            outcome, reason = self._finish(run, todo)
        at = now()
        due = emergencies().deadlines(at).review if outcome != "completed" or run.intent.is_emergency else None
        end: End = {"run": run.id, "outcome": outcome, "reason": reason, "now": at, "review_due": due}
        closed = run.spool.close(run.change.id, **end)
        if not closed:
            log.warning("the ledger is down; the outcome waits in %s, the targets stay held until then", run.spool.path)
        if held.is_run(run.id):
            end_silences(run)
        self._end(run, outcome, reason, is_news=True)

    def _finish(self, run: Run, todo: Closing) -> tuple[Outcome, str]:
        """Undo and verify what is left; return the outcome with its reason."""
        if not todo.must_undo:
            return todo.ended()
        not_undone = self._undo(run, todo.to_undo)
        return todo.ended(not_undone, "" if not_undone else self._verify(run, todo))

    def _undo(self, run: Run, steps: tuple[int, ...]) -> list[tuple[int, str]]:
        """Undo steps in this order; return which failed, each with its reason.

        Raises:
            LockRevoked: this task is ended itself, so it decides nothing; housekeeping has the change rolled back.
            MemoryUnknown: what undo needs cannot be read, and Airflow tries this task again.
        """
        failed: list[tuple[int, str]] = []
        unknown: MemoryUnknown | None = None
        for step in steps:
            log.info("step %s is not undone yet: undoing it here", step)
            try:
                undo_step(run, step, self)
            except LockRevoked:
                raise
            except ChangeError as error:
                log.error("undo of step %s failed: %s", step, error)
                failed.append((step, str(error)))
                unknown = error if isinstance(error, MemoryUnknown) else unknown
        if unknown and not run.is_last_try:
            raise unknown
        return failed

    def _verify(self, run: Run, todo: Closing) -> str:
        """Return why it is not verified that everything is as before, or an empty text."""
        done = restored(run, todo)
        if done:
            run.hand_over(done)
            return ""
        verify, within = run.ticket.rollback.verify, run.ticket.rollback.within
        try:
            before = run_memory.baseline(run, verify)
        except MemoryUnknown as unknown:
            if not run.is_last_try:
                raise
            return str(unknown)
        decided = ask_once(verify, within=within, baselines=before, change=run.change.id)
        if decided.verdict == "pass":
            run.note(payloads.Verified(**decided.as_json()))
            run.hand_over(Restored(at=now()))
            return ""
        run.note(payloads.NotVerified(**decided.as_json()))
        return decided.reason

    def _close_dry(self, run: Run) -> None:
        bad = [task for task, state in run.states().items() if state == "failed"]
        if bad:
            raise AirflowFailException(f"The dry run failed: {', '.join(sorted(bad))}. Nothing was touched.")
        log.info("the dry run is over; nothing was touched")

    def _end(self, run: Run, outcome: Outcome, reason: str, *, is_news: bool) -> None:
        """Leave the outcome for the last message, and end green only when the change is completed."""
        run.hand_over(Closed(outcome=outcome, reason=reason, at=now(), is_news=is_news))
        run.leave_note("\n".join([f"{outcome}: {reason}", *(f"owes: {part}" for part in _owes(run))]))
        level = {"completed": logging.INFO, "rollback_failed": logging.ERROR}.get(outcome, logging.WARNING)
        log.log(level, "outcome: %s. %s", outcome, reason)
        if outcome != "completed":
            raise AirflowFailException(f"{run.change.id} is {outcome}: {reason}")


def _owes(run: Run) -> list[str]:
    """Return what the change owes now, as far as the ledger answers: nobody waits for it to close a change."""
    try:
        return owed.of_change(run.ledger, run.change.id, now())
    except ChangeError as error:
        log.warning("%s", error)
        return []
