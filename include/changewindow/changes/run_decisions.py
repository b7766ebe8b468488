"""What the gate and the watch of a run have decided, as the ledger says; else as they handed it over."""

from changewindow.changes import handover
from changewindow.changes.run_memory import UNREADABLE, RunMemory, legible, log
from changewindow.ledger import payloads


def decision(memory: RunMemory) -> handover.Decision | None:
    """Return what the watch has decided; None, also for what cannot be read, is never good.

    Where ledger and task say different things, that which keeps nothing counts.
    """
    known = [_recorded_decision(memory), legible(memory, handover.Decision, "watch")]
    decisions = [decided for decided in known if decided is not None]
    return next((decided for decided in decisions if decided.route != "succeed"), decisions[0] if decisions else None)


def _recorded_decision(memory: RunMemory) -> handover.Decision | None:
    """Return what the ledger says that the newest watch of the run has decided, if it has."""
    try:
        events = memory.recorded(payloads.Watching, payloads.WatchDecided)
    except UNREADABLE as unreadable:
        log.warning("%s", unreadable)
        return None
    newest = events[-1] if events else None
    if not isinstance(newest, payloads.WatchDecided):
        return None
    return handover.Decision(route="succeed" if newest.route == "succeed" else "undo", reason=newest.reason)


def refusal(memory: RunMemory) -> handover.Refused | None:
    """Return why the gate has refused the run, as far as that can be read."""
    try:
        refused = [event for event in memory.past(payloads.Refused) if event.run in {"", memory.id}]
    except UNREADABLE as unreadable:
        log.warning("%s", unreadable)
        refused = []
    if refused:
        return handover.Refused(outcome=refused[-1].outcome, reason="\n".join(refused[-1].reasons))
    return legible(memory, handover.Refused, "gate")
