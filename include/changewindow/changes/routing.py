"""Decides where a run goes after its steps: to the watch, to a good end, to the rollback, or nowhere."""

from collections.abc import Collection, Sequence

from changewindow.changes import run_memory
from changewindow.changes.handover import Decision, NotGood
from changewindow.changes.run_memory import RunMemory
from changewindow.errors import MemoryUnknown
from changewindow.ledger import payloads
from changewindow.policy.sign_off import same_person
from changewindow.watch.judgement import Decision as Verdict

UNDO, KEEP = "Roll back", "Keep it"
"""The answers to the question whether a change is kept."""


def route_at_once(memory: RunMemory, *, steps: int, reason: str | None) -> Decision | None:
    """Return where a run goes that needs no watching, or None: watch; `reason` is why a rollback was asked for."""
    held = run_memory.holder(memory)
    if not held.is_run(memory.id):
        return Decision(route="nothing", reason="nothing was started in this run")
    if memory.mode == "rollback":
        return Decision(route="undo", reason=reason or "asked for by a person")
    failed = _not_applied(memory, steps)
    if not run_memory.may_have_started(memory, steps):
        return Decision(route="nothing", reason=held.aborted or _why_not_started(memory, failed))
    if held.aborted:
        return Decision(route="undo", reason=held.aborted)
    return Decision(route="undo", reason=_why_not_applied(memory, failed)) if failed else None


def route_dry(memory: RunMemory, *, steps: int, reason: str) -> Decision:
    """Return where a dry run goes; `reason` says what one sample of the watch has read."""
    states = memory.states()
    failed = [task for task in _apply_tasks(steps) if states.get(task) != "success"]
    if failed:
        why = _known_failures(memory, failed) or f"{', '.join(failed)} failed"
        return Decision(route="nothing", reason=f"dry run: {why}")
    return Decision(route="succeed", reason=f"dry run: {reason}")


def by_answer(person: str, people: Sequence[str], *, keeps: bool, because: str) -> Verdict:
    """Return what a person's answer decides; who was not asked cannot keep the change."""
    if not any(same_person(person, other) for other in people):
        return "fail", f"{person or 'nobody'} answered, {', '.join(people)} were asked; {because}"
    if keeps:
        return "pass", f"{person} keeps it, though {because}"
    return "fail", f"{person} rolls it back: {because}"


def _not_applied(memory: RunMemory, steps: int) -> dict[str, str | None]:
    """Return the state of each apply task whose step is not known to have been applied."""
    states = memory.states()

    def is_good(step: int, task: str) -> bool:
        try:
            return run_memory.is_applied(memory, step) and states.get(task) == "success"
        except MemoryUnknown as unknown:
            run_memory.log.warning("%s", unknown)
            return False

    tasks = enumerate(_apply_tasks(steps), 1)
    return {task: states.get(task) for step, task in tasks if not is_good(step, task)}


def _why_not_applied(memory: RunMemory, failed: dict[str, str | None]) -> str:
    if known := _known_failures(memory, failed):
        return known
    named = ", ".join(f"{task} ({state})" for task, state in failed.items() if state != run_memory.NEVER_RAN)
    return f"{named or next(iter(failed))} did not succeed; its log says why"


def _why_not_started(memory: RunMemory, failed: dict[str, str | None]) -> str:
    known = _known_failures(memory, failed)
    return f"{known}; no step started" if known else f"{', '.join(failed)}: no step started"


def _known_failures(memory: RunMemory, tasks: Collection[str]) -> str:
    """Return why tasks failed, as far as the ledger or they themselves say; those that died have said nothing.

    The ledger comes first: the first step of an emergency fails before its own task is asked.
    """
    reasons = _failed_steps(memory)
    for task in (task for task in tasks if task not in reasons):
        if why := run_memory.legible(memory, NotGood, task):
            reasons[task] = why.reason
    known = ((task, " ".join(reasons[task].split())) for task in tasks if task in reasons)
    return "; ".join(f"{task} failed: {reason.rstrip('.')}" for task, reason in known)


def _failed_steps(memory: RunMemory) -> dict[str, str]:
    try:
        return {f"apply_{event.step}": event.reason for event in memory.past(payloads.ApplyFailed)}
    except run_memory.UNREADABLE as unreadable:
        run_memory.log.warning("%s", unreadable)
        return {}


def _apply_tasks(steps: int) -> list[str]:
    return [f"apply_{step}" for step in range(1, steps + 1)]
