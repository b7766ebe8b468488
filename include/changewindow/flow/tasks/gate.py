"""The gate: the last question before a change acts."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from airflow.sdk.definitions.context import Context as AirflowContext
from airflow.sdk.exceptions import AirflowFailException

from changewindow.changes.handover import NotGood, Over, Passed, Refused
from changewindow.changes.room import room
from changewindow.changes.run_memory import baseline, legible
from changewindow.checks import silences_spare_the_watch
from changewindow.documents.findings import Finding
from changewindow.errors import BadPolicy, ChangeError, NotAllowed
from changewindow.flow.declared import declared
from changewindow.flow.part import part_of, require_no_end_before, require_part_still
from changewindow.flow.published_text import require_text
from changewindow.flow.rights import require
from changewindow.flow.runtime import Run, log, now
from changewindow.flow.tasks.preflight import ask_once
from changewindow.flow.tasks.silences import open_silences
from changewindow.flow.tasks.steps import ChangeOperator
from changewindow.flow.triggerer.arguments import RoomArguments
from changewindow.flow.triggerer.room_trigger import RoomTrigger
from changewindow.ledger import leases, payloads
from changewindow.policy.decision import outcome_of
from changewindow.policy.preflight_rules import preflight_findings
from changewindow.policy.standing import Preflight
from changewindow.steps.base import missing_prerequisites

PATIENCE = timedelta(seconds=3)
"""How long the gate repeats a sample that is not good: one lost packet stops no change."""


class Gate(ChangeOperator):
    """Asks everything at once, with the clock, and takes the leases; a no touches nothing."""

    def do(self, run: Run) -> None:
        """Let the run through, or refuse with every reason."""
        self._require_part(run)
        if self._was_let_through(run):
            return
        self._wait_for_room(run)
        try:
            if run.mode == "rollback":
                require(run.context, run.change.id)
            if run.is_dry:
                require_text(run, forward=True)
            preflight = self._preflight(run)
            if run.is_dry:
                self._dry(run, preflight)
                return
            _require_sight(run)
            intent = replace(run.intent, preflight=preflight)
            targets = run.ticket.targets
            token = leases.start(run.ledger, run.change.id, intent, targets=targets, now=now(), assessment=run.assessed)
        except NotAllowed as refused:
            self._refuse(run, refused.findings)
            raise
        except (ChangeError, ValueError) as error:
            self._refuse(
                run, (Finding("undecided", str(error).rstrip("."), "Put that right, then trigger the change again."),)
            )
            raise
        run.hand_over(Passed(token=token, digest=run.change.digest, values=dict(intent.values)))
        log.info("the change may act on %s (token %s)", ", ".join(targets), token)
        if run.mode == "run":  # a rollback does not wait even for that; its first undo opens them beside itself
            open_silences(run)

    def _was_let_through(self, run: Run) -> bool:
        """Hand over that an emergency has passed its gate when it was declared; return whether it has."""
        is_emergency = run.mode == "run" and run.intent.is_emergency
        if not is_emergency or declared(run) is None or not run.holder().is_run(run.id):
            return False
        token = run.past(payloads.Started)[-1].token
        run.hand_over(Passed(token=token, digest=run.change.digest))
        log.info("the change acts since it was declared an emergency (token %s)", token)
        open_silences(run)
        return True

    def _require_part(self, run: Run) -> None:
        """Make sure that the run still has a part in its change; if not, it is no refusal of the change.

        Raises:
            AirflowFailException: a task before has found that it has none.
        """
        try:
            require_no_end_before(run, sorted(self.upstream_task_ids))
        except AirflowFailException as over:
            log.error("%s: %s", run.change.id, over)
            run.hand_over(Over(reason=str(over)))
            raise

    def resumed(self, context: AirflowContext, event: dict[str, Any]) -> Any:
        """Ask everything anew, once there is room."""
        require_part_still(Run(self.change, context), event)
        return self.execute(context)

    def _wait_for_room(self, run: Run) -> None:
        """Wait, without a worker, until the watch and the undo of this change would run at once.

        An emergency does not wait, nor does what cannot start anyway.
        """
        if run.mode != "run" or run.intent.is_emergency or run.intent.is_late(now()):
            return
        try:
            there_is = room(run.ledger)
        except ChangeError as error:
            log.warning("whether there is room for its watch and undo is not known, so it goes on: %s", error)
            return
        if not there_is.is_free:
            log.info("%s", there_is.sentence)
            deadline = run.intent.closes - run.intent.needs
            arguments = RoomArguments(change=run.change.id, part=part_of(run), deadline=deadline)
            self.wait_for(RoomTrigger.of(arguments), "resumed")

    def _dry(self, run: Run, preflight: Preflight) -> None:
        """Say what a real run would be refused for, of what does not depend on the ledger."""
        findings = [*preflight_findings(preflight), *_blind(run), *run.assessment.forbids(max(now(), run.intent.opens))]
        for finding in findings:
            log.info("a real run would be refused: %s", finding.reason)
        for silence in run.ticket.silence:
            log.info("dry run, not silenced: %s", silence.description())

    def _preflight(self, run: Run) -> Preflight:
        """Return what the tasks before the gate and one more sample of all checks have found out."""
        if run.mode == "rollback":
            return Preflight(is_whole=False)
        states = run.states()
        names = sorted(self.upstream_task_ids)
        failed = {name: _reason(run, name) for name in names if states.get(name) == "failed" and name != "window"}
        if failed or run.intent.is_late(now()) or not self._may_read(run):
            return Preflight(failed, is_whole=False)
        if states.get("window") == "failed":  # whatever the cause: nothing is proven, and nothing more is asked
            return Preflight(unproven={"window": "failed"}, is_whole=False)
        unproven = {name: str(states.get(name)) for name in names if states.get(name) != "success"}
        return Preflight(
            unproven=unproven if run.mode == "run" else {},
            missing=self._missing_prerequisites(run),
            not_good=self._not_good(run),
        )

    def _may_read(self, run: Run) -> bool:
        """Return whether the ticket may be asked about at all; if not, the decision names why."""
        try:
            require_text(run, forward=True)
        except (NotAllowed, BadPolicy):
            return False
        return True

    def _not_good(self, run: Run) -> str:
        """Return what is not good in one sample of all checks, and which conditions of the watch cannot be judged.

        The record keeps the sample: it says how everything was before the change.
        """
        ticket = run.ticket
        later = tuple(condition for condition in ticket.conditions + ticket.rollback.verify if not condition.new)
        decided = ask_once(
            ticket.preflight.checks,
            change=run.change.id,
            within=PATIENCE,
            present=later,
            baselines=baseline(run, later),
        )
        run.note(payloads.Checked(**decided.as_json()))
        return "" if decided.verdict == "pass" else decided.reason

    def _missing_prerequisites(self, run: Run) -> tuple[tuple[str, str], ...]:
        """Return what is missing for the steps to be applied, and to be undone."""
        return tuple(
            (step.name, missing)
            for number, step in enumerate(run.ticket.steps, 1)
            for missing in missing_prerequisites(step, run.step_context(number))
        )

    def _refuse(self, run: Run, findings: tuple[Finding, ...]) -> None:
        """Hand the refusal over to `close`, which puts it into the note of the run, and record it."""
        outcome, reasons = outcome_of(findings), [finding.reason for finding in findings]
        run.hand_over(Refused(outcome=outcome, reason="\n".join(reasons)))
        if not run.is_dry:
            recorded = tuple(payloads.RefusalReason(**finding.as_json()) for finding in findings)
            run.note(payloads.Refused(outcome=outcome, reasons=tuple(reasons), findings=recorded))


def _require_sight(run: Run) -> None:
    """Make sure that the watch sees what it judges by.

    Raises:
        NotAllowed: silences hide it.
    """
    if blind := _blind(run):
        raise NotAllowed(run.change.id, blind)


def _blind(run: Run) -> tuple[Finding, ...]:
    """Return which silences hide from the watch what it judges by, with the values that were chosen for this run.

    Lint tries each value with the usual ones of all other parameters; what was allowed with those stays so.
    """
    if run.mode == "rollback" or not run.values:
        return ()
    allowed = silences_spare_the_watch.check(run.change.ticket)
    found = silences_spare_the_watch.check(run.ticket)
    return tuple(finding for finding in found if not finding.is_warning and finding not in allowed)


def _reason(run: Run, task: str) -> str:
    """Return why a task of the preflight failed."""
    not_good = legible(run, NotGood, task)
    return not_good.reason if not_good and not_good.reason else "its log says why"
