"""The gate: the last question before a change acts."""

from datetime import datetime, timedelta
from typing import Any

from changewindow.changes.handover import NotGood, Passed, Refused
from changewindow.changes.run_memory import baseline, legible
from changewindow.errors import ChangeError, NotAllowed
from changewindow.flow.runtime import Run, log, now
from changewindow.flow.tasks.preflight import ask_once
from changewindow.flow.tasks.steps import ChangeOperator
from changewindow.ledger import leases, payloads
from changewindow.policy.gate import is_late, outcome_of_refusal
from changewindow.policy.outcome import Outcome
from changewindow.steps.base import missing_prerequisites

PATIENCE = timedelta(seconds=3)
"""How long the gate repeats a sample that is not good: one lost packet stops no change."""


class Gate(ChangeOperator):
    """Asks everything at once, with the clock, and takes the leases; a no touches nothing."""

    def do(self, run: Run) -> None:
        """Let the run through, or refuse with every reason."""
        moment = now()
        try:
            preflight = self._preflight(run)
            moment = now()
            if run.is_dry:
                for reason in [*preflight, *run.assessment.forbids(max(moment, run.intent.opens))]:
                    log.info("a real run would be refused: %s", reason)
                return
            targets = run.ticket.targets
            token = self._start(run, moment, preflight)
        except NotAllowed as refused:
            self._note(run, outcome_of_refusal(refused.reasons, run.intent, moment), refused.reasons)
            raise
        except (ChangeError, ValueError) as error:
            self._note(run, "refused", [str(error)])
            raise
        run.hand_over(Passed(token=token))
        log.info("the change may act on %s (token %s)", ", ".join(targets), token)

    def _start(self, run: Run, moment: datetime, preflight: list[str]) -> int:
        """Ask ledger and policy, and take the leases; return the fencing token."""
        given: dict[str, Any] = {"targets": run.ticket.targets, "now": moment, "also": preflight}
        if run.mode == "run":
            given |= {"also": [*preflight, *run.assessment.forbids(moment)], "collide": run.assessment.collides}
        return leases.start(run.ledger, run.change.id, run.assessed_intent, **given)

    def _preflight(self, run: Run) -> list[str]:
        """Return what of the preflight is not good now; checks are read again, all in one sample."""
        states = run.states()
        failed = [task for task in sorted(self.upstream_task_ids - {"window"}) if states.get(task) == "failed"]
        found = [f"{task} failed: {_reason(run, task)}" for task in failed]
        if failed or is_late(run.intent, now()) or run.mode == "rollback":
            return found
        unasked = [task for task in self.upstream_task_ids if states.get(task) != "success"]
        if run.mode == "run":
            found += [f"{task} is {states.get(task)}, which proves nothing" for task in sorted(unasked)]
        return found + self._missing_prerequisites(run) + self._read_again(run)

    def _read_again(self, run: Run) -> list[str]:
        """Return what is not good in one sample of all checks, and which sources of the watch are not there.

        The record keeps the sample: it says how everything was before the change.
        """
        ticket = run.ticket
        later = [one for one in ticket.conditions + ticket.rollback.verify if not one.new]
        asked = {"present": tuple(later), "before": baseline(run, later), "change": run.change.id}
        decided = ask_once(ticket.preflight.checks, within=PATIENCE, **asked)
        run.note(payloads.Checked(**decided.as_json()))
        return [] if decided.verdict == "pass" else [f"not good at the gate: {decided.reason}"]

    def _missing_prerequisites(self, run: Run) -> list[str]:
        """Return what is missing for the steps to be applied, and to be undone."""
        return [
            f"step '{step.name}' is not ready: {missing}"
            for number, step in enumerate(run.ticket.steps, 1)
            for missing in missing_prerequisites(step, run.step_context(number))
        ]

    def _note(self, run: Run, outcome: Outcome, reasons: list[str]) -> None:
        """Leave the no for `close` and for the record."""
        run.hand_over(Refused(outcome=outcome, reason="; ".join(reasons)))
        if not run.is_dry:
            run.note(payloads.Refused(outcome=outcome, reasons=tuple(reasons)))


def _reason(run: Run, task: str) -> str:
    """Return why a task of the preflight failed."""
    not_good = legible(run, NotGood, task)
    return not_good.reason if not_good and not_good.reason else "its log says why"
