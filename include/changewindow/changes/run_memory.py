"""What is known of a run of a change, and the questions that its tasks ask of it.

The ledger's events say it. A task also hands over, under seal, what others need: that counts while the ledger cannot be
read or does not have it yet. Where neither can be read, that is `MemoryUnknown`: it is not the same as "nothing".
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from changewindow.changes import handover
from changewindow.changes.handover import F
from changewindow.errors import BrokenChain, LedgerDown, MemoryUnknown, UnreadableEvent
from changewindow.ledger import payloads
from changewindow.ledger.events import P
from changewindow.ledger.payloads import Payload
from changewindow.policy.standing import Mode
from changewindow.systems.context import Ended
from changewindow.watch.condition import Condition

log = logging.getLogger("changewindow")
NEVER_RAN = "upstream_failed"
"""The state that Airflow alone gives, to a task that it did not start because one before it failed."""

UNREADABLE = (LedgerDown, UnreadableEvent, BrokenChain)


@dataclass(frozen=True)
class Holder:
    """Who holds a change: its status, the run that acts, and who aborted it and why."""

    status: str
    run: str | None = None
    aborted: str | None = None

    def is_run(self, run: str) -> bool:
        """Return whether this run has passed the gate and has not ended."""
        return self.status == "running" and self.run == run


class RunMemory(Protocol):
    """One run of a change, as its tasks and the ledger have kept it."""

    @property
    def id(self) -> str:
        """Return the run's id."""

    @property
    def mode(self) -> Mode:
        """Return what the run is for."""

    def handed(self, fact: type[F], task: str, step: int = 0) -> F | None:
        """Return what a task of this run handed over, or None when it did not.

        Raises:
            MemoryUnknown: what is there was not handed over by that task, or cannot be read.
        """

    def states(self) -> Mapping[str, str | None]:
        """Return the state of each task of this run by its id."""

    def past(self, of: type[P]) -> list[P]:
        """Return what events of a kind say, oldest first; of this run, or of every run in mode rollback.

        Raises:
            LedgerDown: the ledger cannot be read.
            UnreadableEvent: a later version wrote one of them.
            BrokenChain: one of them was altered.
        """

    def recorded(self, *of: type[Payload]) -> list[Payload]:
        """Return the same of some kinds, in the order in which they were written."""

    def holder(self) -> Holder:
        """Return who holds the change, as the ledger knows it.

        Raises:
            LedgerDown: the ledger cannot be read.
        """

    def unknown(self, what: str, why: object) -> MemoryUnknown:
        """Return the error that says what is not known of this run."""


def legible(memory: RunMemory, fact: type[F], task: str, step: int = 0) -> F | None:
    """Return what a task handed over, or None where that is missing or cannot be read."""
    try:
        return memory.handed(fact, task, step)
    except MemoryUnknown as unknown:
        log.warning("%s", unknown)
        return None


def remembered(memory: RunMemory, step: int) -> dict[str, Any] | None:
    """Return what a step remembered before it acted, or None when it never started.

    Raises:
        MemoryUnknown: nobody can say now.
    """
    is_rollback = memory.mode == "rollback"
    error = None
    try:
        memories = [event.remembered for event in memory.past(payloads.Remembered) if event.step == step]
    except UNREADABLE as unreadable:
        memories, error = [], unreadable
    if memories:
        return memories[-1 if is_rollback else 0]
    kept = None if is_rollback else legible(memory, handover.Remembered, f"apply_{step}")
    if kept is not None:
        return kept.memory
    if error and (is_rollback or not _never_started(memory, step)):
        raise memory.unknown(f"whether step {step} has acted, and on what", error) from error
    return None


def applied_values(memory: RunMemory) -> dict[str, Any]:
    """Return what was chosen for parameters when the change was applied: the values that a rollback has to undo.

    Raises:
        MemoryUnknown: nobody can say now.
    """
    try:
        applied = [event for event in memory.past(payloads.Started) if event.mode == "run"]
    except UNREADABLE as error:
        raise memory.unknown("with which parameters it was applied", error) from error
    return applied[-1].values if applied else {}


def _never_started(memory: RunMemory, step: int) -> bool:
    """Return whether Airflow can say that a step did nothing, without the ledger."""
    task = f"apply_{step}"
    return memory.states().get(task) == NEVER_RAN or legible(memory, handover.NotStarted, task) is not None


def may_have_started(memory: RunMemory, count: int) -> tuple[int, ...]:
    """Return the steps that started, and those of which that is not known."""

    def may_have(step: int) -> bool:
        try:
            return remembered(memory, step) is not None
        except MemoryUnknown as unknown:
            log.warning("%s", unknown)
            return True

    return tuple(step for step in range(1, count + 1) if may_have(step))


def is_applied(memory: RunMemory, step: int) -> bool:
    """Return whether a step came to its end in this run, whatever the colour of its task.

    Raises:
        MemoryUnknown: nobody can say now.
    """
    error = None
    try:
        if any(event.step == step for event in memory.past(payloads.Applied)):
            return True
    except UNREADABLE as unreadable:
        error = unreadable
    if legible(memory, handover.Applied, f"apply_{step}"):
        return True
    if error:
        raise memory.unknown(f"whether step {step} was applied", error) from error
    return False


def apply_ended(memory: RunMemory, step: int) -> Ended:
    """Return how the apply of a step that started has ended; what nobody knows counts as cut short."""
    if legible(memory, handover.Failed, f"apply_{step}"):
        return "failed"
    try:
        return "applied" if is_applied(memory, step) else "cut_short"
    except MemoryUnknown as unknown:
        log.warning("%s", unknown)
        return "cut_short"


def is_undone(memory: RunMemory, step: int) -> bool:
    """Return whether a step was undone in this run; undone again is harmless, so that unknown counts as not undone."""
    if not any(legible(memory, handover.Undone, task, step) for task in (f"undo_{step}", "close")):
        return False
    try:
        acts = [event for event in memory.recorded(payloads.Applied, payloads.Undone) if _step(event) == step]
    except UNREADABLE:
        return True
    was_undone = any(isinstance(event, payloads.Undone) for event in acts)
    return not (was_undone and isinstance(acts[-1], payloads.Applied))


def _step(event: Payload) -> int:
    return int(getattr(event, "step", 0))


def baseline(memory: RunMemory, conditions: Iterable[Condition]) -> dict[str, list[float]]:
    """Return the readings before the change, by the name of their condition; none if none of the conditions compares.

    Raises:
        MemoryUnknown: nobody can say now.
    """
    if not any(condition.needs_baseline for condition in conditions):
        return {}
    error = None
    try:
        past = memory.past(payloads.Baseline)
    except UNREADABLE as unreadable:
        past, error = [], unreadable
    if past:
        return past[-1].before
    kept = None if memory.mode == "rollback" else legible(memory, handover.Baseline, "baseline")
    if kept is not None:
        return kept.readings
    if error:
        raise memory.unknown("what was read before the change", error) from error
    return {}


def holder(memory: RunMemory) -> Holder:
    """Return who holds the change; without the ledger, what the gate handed over says whether this run does."""
    try:
        return memory.holder()
    except LedgerDown as down:
        log.warning("%s", down)
    try:
        is_ours = memory.handed(handover.Passed, "gate") is not None
    except MemoryUnknown as unknown:
        log.warning("%s; what this run may have done is undone", unknown)
        is_ours = True
    return Holder("running", memory.id) if is_ours else Holder("approved")


def is_ours(memory: RunMemory) -> bool:
    """Return whether this run passed the gate and has not ended."""
    return holder(memory).is_run(memory.id)
