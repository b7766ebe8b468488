"""The operators of the pipeline: apply, verify, succeed."""

from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from changewindow.changes.handover import Applied, Failed, NotGood, NotStarted, Remembered, Verified
from changewindow.changes.run_decisions import decision
from changewindow.changes.run_memory import baseline
from changewindow.changes.silencing import Silencing
from changewindow.changes.step_lock import lock_forward
from changewindow.errors import (
    ChangeError,
    LockRevoked,
    MemoryUnknown,
    NotAllowed,
    StillUnderWay,
)
from changewindow.flow.declared import declared
from changewindow.flow.published_text import require_text
from changewindow.flow.runtime import Run, log, now
from changewindow.flow.tasks.preflight import CheckSensor
from changewindow.flow.tasks.silences import silences_renewed
from changewindow.flow.waiting import Waiting
from changewindow.ledger import leases, payloads
from changewindow.policy.standing import StepStart
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context as StepContext
from changewindow.systems.place import place_of_step
from changewindow.ticket.plan import Node
from changewindow.ticket.revision import PublishedChange
from changewindow.watch.watch import Baselines


class ChangeOperator(Waiting):
    """A task of a change; an error raised on purpose fails it in one clear line."""

    tries_again = False
    """Whether it is tried again after every such error, not only when its process died or its memory is unknown."""

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
            if self.tries_again or isinstance(error, MemoryUnknown):
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
    """Applies one step: remembers what undo needs, then acts while it holds the step lock."""

    def do(self, run: Run) -> None:
        """Apply the step once."""
        if run.mode == "rollback":
            raise AirflowSkipException("mode is rollback: nothing is applied")
        number = self.node.number
        step = run.ticket.steps[number - 1]
        if run.is_dry:
            self.acting = context = run.step_context(number)
            require_text(run, forward=True)
            step.apply(context, step.remember(context))
            return
        if already_applied(run, number):
            return
        try:
            apply_step(run, number, self)
        except (ChangeError, ValueError) as error:
            reasons = error.reasons if isinstance(error, NotAllowed) else str(error).split()
            run.hand_over(NotGood(reason=" ".join(reasons)))
            raise


class Acting(Protocol):
    """A task that may be told to stop acting."""

    acting: StepContext | None


def apply_step(run: Run, number: int, task: Acting) -> None:
    """Apply one step once: remember what undo needs, then act while holding the step lock.

    Raises:
        ChangeError: it may not be applied now, or failed.
    """
    step = run.ticket.steps[number - 1]
    task.acting = context = run.step_context(number)
    with ExitStack() as held:
        held.enter_context(silences_renewed(run))
        memory = _begin(run, number, context, held)
        context.require_lock()
        try:
            _apply(run, step, context, memory)
            context.require_lock()
        except LockRevoked:
            raise  # who took the lock writes down what becomes of the step
        except (ChangeError, ValueError) as error:
            run.note(payloads.ApplyFailed(step=number, name=step.name, reason=str(error)))
            raise
        run.hand_over(Applied(at=now()))
        run.note(payloads.Applied(step=number, name=step.name))


def already_applied(run: Run, number: int) -> bool:
    """Hand over what the declaration of an emergency has done of a step; return whether it was applied then."""
    if not run.intent.is_emergency or number != 1 or declared(run) is None:
        return False
    acts = run.recorded(payloads.Applied, payloads.Undone)
    remembered = [event.remembered for event in run.past(payloads.Remembered) if event.step == number]
    if not remembered or not acts or not isinstance(acts[-1], payloads.Applied):
        return False
    run.hand_over(Remembered(memory=remembered[0]))
    run.hand_over(Applied(at=now()))
    log.info("step %s was applied when the emergency was declared", number)
    return True


def _begin(run: Run, number: int, context: StepContext, held: ExitStack) -> Memory:
    """Take the step lock and remember what undo needs; when that fails at the first try, nothing has started."""
    step = run.ticket.steps[number - 1]
    try:
        memory = _require(run, number, step)
        held.enter_context(lock_forward(run.step_lock, f"{run.id}/{run.task}", context))
        if memory is None:
            memory = step.remember(context)
            place = place_of_step(step.acts_on, getattr(step, "connection", None), context.connection)
            run.record(payloads.Remembered(step=number, name=step.name, remembered=memory, place=place))
    except (ChangeError, ValueError):
        if run.is_first_try:
            run.hand_over(NotStarted())
        raise
    run.hand_over(Remembered(memory=memory))
    return memory


def _require(run: Run, number: int, step: StepBase) -> Memory | None:
    """Make sure that this step may act now; return what it remembered if it acted before.

    Raises:
        NotAllowed: with each reason.
    """
    applied = {event.step for event in run.past(payloads.Applied)}
    started = [event.remembered for event in run.past(payloads.Remembered) if event.step == number]
    if started:
        run.hand_over(Remembered(memory=started[0]))
    intended = StepStart(
        number,
        step.name,
        not_applied=tuple(earlier for earlier in range(1, number) if earlier not in applied),
        has_started=bool(started),
        safe_to_repeat=step.safe_to_repeat,
        done=sum((earlier.timeout for earlier in run.ticket.steps[: number - 1]), timedelta(0)),
    )
    forward = replace(run.intent, step=intended)
    leases.require_running(run.ledger, run.change.id, run=run.id, now=now(), forward=forward, assessment=run.assessed)
    return started[0] if started else None


def _apply(run: Run, step: StepBase, context: StepContext, memory: Memory) -> None:
    """Apply a step; when it fails of its own accord, undo shall know that nothing of it is under way any more."""
    try:
        step.apply(context, memory)
    except (StillUnderWay, LockRevoked):
        raise
    except ChangeError:
        if not context.stopped.is_set():
            run.hand_over(Failed(at=now()))
        raise


class Verify(CheckSensor):
    """Waits until everything is found to be as before."""

    is_forward = False

    def conditions(self, run: Run) -> tuple[Any, ...]:
        """Return what proves it."""
        return run.ticket.rollback.verify

    def before(self, run: Run) -> Baselines:
        """Return the baseline."""
        return baseline(run, self.conditions(run))

    def within(self, run: Run) -> timedelta:
        """Return how long it may take."""
        return run.ticket.rollback.within

    def settle(self, run: Run) -> timedelta:
        """Return how long all must stay good: the rollback ends as soon as all is as before."""
        return timedelta(0)

    def silencing(self, run: Run) -> Silencing | None:
        """Return what stays silenced until all is as before."""
        return Silencing.of(run.change.id, run.id, run.ticket)

    def good(self, run: Run, event: dict[str, Any]) -> None:
        """Record it for the outcome."""
        run.hand_over(Verified(at=now()))
        run.note(payloads.Verified(**event))

    def bad(self, run: Run, event: dict[str, Any]) -> None:
        """Record it for the outcome, and fail."""
        run.note(payloads.NotVerified(**event))
        raise AirflowFailException(f"Undone, but not as before: {event['reason']}. A person has to look now.")


class Succeed(ChangeOperator):
    """Ends the change well, only if the watch really proved the change good."""

    def do(self, run: Run) -> None:
        """Say what is left for people."""
        decided = decision(run)
        if decided is None or decided.route != "succeed":
            raise AirflowFailException("The watch did not prove the change good; it is rolled back.")
        for item in run.ticket.post_change.follow_up:
            log.info("left for people: %s", item)
        if not run.is_dry:
            run.note(payloads.Validated(reason=decided.reason))
