"""The operators of the road: apply, undo, verify, succeed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from changewindow.changes.step_lock import lock_forward, lock_undo
from changewindow.errors import ChangeError, LedgerDown, LockRevoked, NotAllowed, StepFailed, StillUnderWay
from changewindow.flow.runtime import Run, log, now
from changewindow.flow.tasks.preflight import CheckSensor
from changewindow.ledger import leases, payloads
from changewindow.policy.gate import time_reasons
from changewindow.steps.base import StepBase
from changewindow.systems.context import Context as StepContext
from changewindow.ticket.plan import Node
from changewindow.ticket.revision import PublishedChange
from changewindow.watch.watch import Before


class ChangeOperator(BaseOperator):
    """A task of a change; an error raised on purpose fails it in one clear line."""

    tries_again = False
    """Whether it is tried again after such an error too, not only when its process died."""

    def __init__(self, *, change: PublishedChange, node: Node, **options: Any) -> None:
        super().__init__(**options)
        self.change = change
        self.node = node
        self.acting: StepContext | None = None

    def execute(self, context: Context) -> Any:
        """Do it, and turn what we raise on purpose into Airflow's way to fail."""
        try:
            return self.do(Run(self.change, context))
        except (ChangeError, ValueError) as error:
            log.error("%s", error)
            if self.tries_again:
                raise
            raise AirflowFailException(str(error)) from error

    def do(self, run: Run) -> Any:
        """Do what the role of this task is."""
        raise NotImplementedError

    def on_kill(self) -> None:
        """Stop acting: Airflow wants this task to end."""
        if self.acting is not None:
            self.acting.stop()


class Apply(ChangeOperator):
    """Applies one step: remembers what undo needs, then acts while it holds the turn."""

    def do(self, run: Run) -> None:
        """Apply the step once."""
        if run.mode == "rollback":
            raise AirflowSkipException("mode is rollback: nothing is applied")
        number = self.node.number
        step = run.ticket.actions[number - 1]
        self.acting = context = run.step_context(number)
        if run.is_dry:
            step.apply(context, step.remember(context))
            return
        remembered = self._require(run, step)
        with lock_forward(run.step_lock, f"{run.id}/{run.task}", context):
            if remembered is None:
                remembered = step.remember(context)
                run.record(payloads.Remembered(step=number, name=step.name, remembered=remembered))
            run.tell("remembered", remembered)
            context.require_lock()
            _apply(run, step, context, remembered)
            context.require_lock()
            run.tell("applied", now().isoformat())
            run.note(payloads.Applied(step=number, name=step.name))

    def _require(self, run: Run, step: StepBase) -> dict[str, Any] | None:
        """Make sure that this step may act now, in this order; return what it remembered if it acted before.

        Raises:
            NotAllowed: with each reason.
        """
        leases.require_running(run.ledger, run.change.id, run=run.id, now=now(), forward=run.assessed_intent)
        number = self.node.number
        against = [f"step {earlier} is not applied" for earlier in range(1, number) if not run.past_applied(earlier)]
        started = run.past_remembered(number)
        if started:
            run.tell("remembered", started[0])
            if not step.safe_to_repeat:
                against.append(f"it started already, and a step of this kind is not repeated: {step.name}")
        done = sum((one.timeout for one in run.ticket.actions[: number - 1]), timedelta(0))
        against += time_reasons(replace(run.intent, needs=run.intent.needs - done), now())
        against += run.assessment.forbids(now(), done=done)
        if against:
            raise NotAllowed(run.change.id, against)
        return started[0] if started else None


def _apply(run: Run, step: StepBase, context: StepContext, remembered: dict[str, Any]) -> None:
    """Apply a step; when it fails of its own accord, undo shall know that nothing of it is under way any more."""
    try:
        step.apply(context, remembered)
    except (StillUnderWay, LockRevoked):
        raise
    except ChangeError:
        if not context.stopped.is_set():
            run.tell("failed", now().isoformat())
        raise


class Undo(ChangeOperator):
    """Takes back one step, if it started and the change is not kept; may run twice."""

    tries_again = True

    def do(self, run: Run) -> None:
        """Undo the step."""
        require_way_back(run)
        undo_step(run, self.node.number, self)


class Verify(CheckSensor):
    """Waits until everything is found to be as before."""

    may_be_aborted = False

    def conditions(self, run: Run) -> tuple[Any, ...]:
        """Return what proves it."""
        return run.ticket.rollback.verify

    def before(self, run: Run) -> Before:
        """Return the readings of before the change."""
        return run.before()

    def within(self, run: Run) -> timedelta:
        """Return how long it may take."""
        return run.ticket.rollback.within

    def settle(self, run: Run) -> timedelta:
        """Return how long all must stay good: the way back ends as soon as all is as before."""
        return timedelta(0)

    def good(self, run: Run, found: dict[str, Any]) -> None:
        """Record it for the outcome."""
        run.tell("verified", {"at": now().isoformat()})
        run.note(payloads.Verified(**found))

    def bad(self, run: Run, found: dict[str, Any]) -> None:
        """Record it for the outcome, and fail."""
        run.tell("not_verified", found["reason"])
        run.note(payloads.NotVerified(**found))
        raise AirflowFailException(f"Undone, but not as before: {found['reason']}. A person has to look now.")


class Succeed(ChangeOperator):
    """Ends the good road, only if the watch really proved the change good."""

    def do(self, run: Run) -> None:
        """Say what is left for people."""
        decision = run.told("watch", "decision") or {}
        if decision.get("route") != "succeed":
            raise AirflowFailException("The watch did not prove the change good; it is taken back.")
        for item in run.ticket.post_change.follow_up:
            log.info("left for people: %s", item)
        if not run.is_dry:
            run.note(payloads.Validated(reason=decision["reason"]))


def require_way_back(run: Run) -> None:
    """Make sure that the way back may be taken in this run.

    Raises:
        NotAllowed: the run does not hold the change, or the watch decided to keep it.
    """
    decision = run.told("watch", "decision") or {}
    if decision.get("route") == "succeed":
        raise NotAllowed(run.change.id, ["the watch proved the change good; to take it back, run it in mode rollback"])
    try:
        leases.require_running(run.ledger, run.change.id, run=run.id, now=now())
    except LedgerDown as down:
        log.warning("%s", down)


def require_later_undone(run: Run, number: int) -> None:
    """Make sure that a step may be undone though the undo of a later one has failed.

    Raises:
        StepFailed: the ticket says to stop then.
    """
    later = range(number + 1, len(run.ticket.actions) + 1)
    started = [one for one in later if run.remembered(one) is not None]
    left = [one for one in started if not any(run.told(task, f"undone_{one}") for task in (f"undo_{one}", "close"))]
    if left and run.ticket.rollback.after_failure == "stop":
        raise StepFailed(f"Step {left[0]} is not undone, and the ticket says to stop then; undo this one by hand too.")


def undo_step(run: Run, number: int, task: ChangeOperator) -> None:
    """Take back one step, holding the turn.

    Raises:
        ChangeError: it failed; the step may be half undone, and undo may be run again.
    """
    remembered = run.remembered(number)
    if remembered is None:
        log.info("step %s never started: nothing to undo", number)
        return
    require_later_undone(run, number)
    step = run.ticket.actions[number - 1]
    task.acting = context = run.step_context(number, apply_ended=run.apply_ended(number))
    with lock_undo(run.step_lock, f"{run.id}/{run.task}", context):
        run.note(payloads.Undoing(step=number, name=step.name))
        try:
            _undo(step, context, remembered)
        except ChangeError as error:
            ended = payloads.UndoStopped if isinstance(error, LockRevoked) else payloads.UndoFailed
            run.note(ended(step=number, name=step.name, reason=str(error)))
            raise
        run.tell(f"undone_{number}", now().isoformat())
        run.note(payloads.Undone(step=number, name=step.name))


def _undo(step: StepBase, context: StepContext, remembered: dict[str, Any]) -> None:
    """Undo a step; whatever goes wrong in it is a failed undo, because the change has to end with an outcome.

    Raises:
        ChangeError: it failed.
    """
    try:
        step.undo(context, remembered)
    except ChangeError:
        raise
    except Exception as error:
        log.exception("undo of '%s' broke off", step.name)
        raise StepFailed(f"undo of '{step.name}' broke off: {type(error).__name__} {error}") from error
    context.require_lock()
