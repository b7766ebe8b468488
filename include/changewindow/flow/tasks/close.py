"""Close: the teardown that runs whatever happened, undoes what is left, and records how the change ended."""

from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from changewindow.errors import ChangeError, LedgerDown, LockRevoked
from changewindow.flow.runtime import NOTE, Run, log, now
from changewindow.flow.tasks.preflight import ask_once
from changewindow.flow.tasks.steps import ChangeOperator, undo_step
from changewindow.ledger import changes, payloads
from changewindow.policy.gate import AGAIN
from changewindow.policy.outcome import Left, Outcome, outcome


class Close(ChangeOperator):
    """Undoes whatever was applied and is not kept, records the outcome, releases the targets; red unless completed."""

    def do(self, run: Run) -> None:
        """Close the run."""
        if run.is_dry:
            self._close_dry(run)
            return
        status, owner, aborted = self._standing(run)
        is_ours = status == "running" and owner == run.id
        refusal = run.told("gate", "refused")
        if not is_ours and (owner == run.id and status not in AGAIN):
            self._end(run, status, "this run is closed; nothing was done again", is_news=False)
        elif not is_ours and status not in AGAIN:
            reason = refusal["reason"] if refusal else f"the change is {status}; nothing was touched"
            self._end(run, "refused", reason, is_news=False)
        else:
            ended, reason = outcome(self._left(run, is_ours=is_ours, refusal=refusal, aborted=aborted))
            closed = run.spool.close(run.change.id, run=run.id, outcome=ended, reason=reason, now=now())
            if not closed:
                log.warning(
                    "the ledger is down; the outcome waits in %s, the targets stay held until then", run.spool.path
                )
            self._end(run, ended, reason, is_news=True)

    def _standing(self, run: Run) -> tuple[str, str | None, str | None]:
        """Return the change's status, the run that acts, and who aborted it; without the ledger, what the gate left."""
        try:
            found = changes.get(run.ledger, run.change.id)
        except LedgerDown as down:
            log.warning("%s", down)
            return ("running", run.id, None) if run.told("gate", "passed") else ("approved", None, None)
        return found.status, found.run, found.aborted

    def _left(self, run: Run, *, is_ours: bool, refusal: dict[str, Any] | None, aborted: str | None) -> Left:
        decision = run.told("watch", "decision") or {}
        is_good = decision.get("route") == "succeed" and run.states().get("succeed") == "success"
        is_kept = is_ours and is_good and not aborted
        started = self._started(run) if is_ours else ()
        why = aborted or decision.get("reason") or f"the run ended before the change was proven good{_unended(run)}"
        if is_kept or not started:
            said: tuple[Outcome, str] | None = (
                (refusal["outcome"], refusal["reason"]) if refusal and not is_ours else None
            )
            is_aborted = aborted is not None
            return Left(said, is_ours, is_kept, started, (), is_verified=False, why_back=why, is_aborted=is_aborted)
        not_undone, undone_here = self._undo_rest(run, started)
        not_verified = "" if not_undone else self._verify(run, again=undone_here)
        return Left(None, True, False, started, not_undone, not not_verified, why, not_verified)

    def _started(self, run: Run) -> tuple[int, ...]:
        numbers = range(1, len(run.ticket.actions) + 1)
        return tuple(number for number in numbers if run.remembered(number) is not None)

    def _undo_rest(self, run: Run, started: tuple[int, ...]) -> tuple[tuple[tuple[int, str], ...], bool]:
        """Undo what no task has undone, in reverse; return what failed, and whether anything was undone here.

        Raises:
            LockRevoked: this task is ended itself, so it decides nothing; housekeeping has the change taken back.
        """
        rest = [number for number in reversed(started) if not run.told(f"undo_{number}", f"undone_{number}")]
        failed = []
        for number in rest:
            log.info("step %s is not undone yet: undoing it here", number)
            try:
                undo_step(run, number, self)
            except LockRevoked:
                raise
            except ChangeError as error:
                log.error("undo of step %s failed: %s", number, error)
                failed.append((number, str(error)))
        return tuple(failed), bool(rest)

    def _verify(self, run: Run, *, again: bool) -> str:
        """Return why it is not verified that everything is as before, or an empty text."""
        if not again and run.told("verify", "verified"):
            run.tell("restored", run.told("verify", "verified")["at"])
            return ""
        verify, within = run.ticket.rollback.verify, run.ticket.rollback.within
        decided = ask_once(verify, within=within, before=run.before(), change=run.change.id)
        verified = payloads.Verified if decided.verdict == "pass" else payloads.NotVerified
        run.note(verified(**decided.as_json()))
        if decided.verdict == "pass":
            run.tell("restored", now().isoformat())
            return ""
        return decided.reason

    def _close_dry(self, run: Run) -> None:
        bad = [task for task, state in run.states().items() if state == "failed"]
        if bad:
            raise AirflowFailException(f"The dry run failed: {', '.join(sorted(bad))}. Nothing was touched.")
        log.info("the dry run is over; nothing was touched")

    def _end(self, run: Run, ended: str, reason: str, *, is_news: bool) -> None:
        """Leave the outcome for the last message, and end green only when the change is completed."""
        run.tell("outcome", {"outcome": ended, "reason": reason, "at": now().isoformat(), "is_news": is_news})
        run.tell(NOTE, f"{ended}: {reason}")
        log.info("outcome: %s. %s", ended, reason)
        if ended != "completed":
            raise AirflowFailException(f"{run.change.id} is {ended}: {reason}")


def _unended(run: Run) -> str:
    """Return which tasks did not end as they should, for the reason of an outcome."""
    bad = sorted(task for task, state in run.states().items() if state == "failed" and task != run.task)
    return f" ({', '.join(bad)} failed)" if bad else ""
