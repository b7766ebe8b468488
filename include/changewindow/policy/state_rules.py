"""The gate's rules about states: whether a change may start, roll back or go on, and who holds its targets."""

from changewindow.documents.findings import Finding
from changewindow.documents.text import spoken
from changewindow.policy.decision import Answers, Satisfied
from changewindow.policy.standing import ALTERED, ROLLED_BACK, WAITING, Case

TARGET_HELD = "target_held"
"""The code of what stands against a change while another one holds its target."""


def record_holds(case: Case) -> Answers:
    """Say whether the rows of the ledger are as its sealed events say."""
    for difference in case.standing.altered:
        yield Finding("record_altered", difference, case.remedy(ALTERED))
    if not case.standing.altered:
        yield Satisfied("record_holds", "its record is as its sealed events say")


def may_start(case: Case) -> Answers:
    """Say whether a change in this state may start."""
    status, run = case.standing.status, case.standing.run
    if status == "running" and run is not None:
        if run != case.intent.run:
            yield Finding("run_acting", f"run {run} of this change is acting", "Wait for its end.")
        else:
            yield Satisfied("state", "this run has passed the gate already")
    elif status == "running":
        yield Finding("orphaned", "its run died", "Run it in mode rollback; nothing else is possible.")
    elif status in WAITING:
        yield Satisfied("state", f"it is {spoken(status)}, and no run of it is acting")
    else:
        yield Finding("closed", f"it is closed: {spoken(status)}", instead(status))


def instead(status: str) -> str:
    """Return what to do about a change that is neither started nor given another text any more."""
    return INSTEAD.get(status, "Submit a new ticket to do it again.")


INSTEAD = {
    "missed": "Run reslot_change to give it another window.",
    "rejected": "Submit a corrected ticket.",
    "rollback_failed": "Run it in mode rollback.",
    "running": "Wait for its end, or run abort_change; what is left to do is a new ticket.",
}
"""By status; any other one is asked for again."""


def may_roll_back(case: Case) -> Answers:
    """Say whether a change in this state may be rolled back by a run of its own."""
    status, run = case.standing.status, case.standing.run
    if status == "running" and run not in (None, case.intent.run):
        yield Finding("run_acting", f"run {run} of this change is acting", "Wait for its end.")
    elif status in {"completed", "rollback_failed", "running"}:
        yield Satisfied("state", f"it is {spoken(status)}, so there is something to roll back")
    else:
        sentence = f"it is {spoken(status)}; only a completed change, or one whose rollback failed, can be rolled back"
        is_waiting = status in WAITING
        remedy = "Run cancel_change if it is not to be done." if is_waiting else "Nothing of it is left to roll back."
        yield Finding("not_rollbackable", sentence, remedy)


def has_started(case: Case) -> Answers:
    """Say whether this text ever passed the gate; what never did has nothing to undo, whatever its row says."""
    if case.standing.started is None or case.intent.digest in case.standing.started:
        yield Satisfied("has_started", "it has passed the gate before")
    else:
        sentence = "its sealed events do not say that it has ever passed the gate with this text"
        yield Finding("never_started", sentence, case.remedy(ALTERED))


def is_acting(case: Case) -> Answers:
    """Say whether this run passed the gate, has not ended, and still holds its targets."""
    status, run = case.standing.status, case.standing.run
    if status != "running":
        remedy = "Trigger a new run; nothing acts without passing the gate."
        yield Finding("not_running", f"it is {spoken(status)}, not running", remedy)
    elif run is None:
        yield Finding("orphaned", "its run died", "Run it in mode rollback; nothing else is possible.")
    elif run != case.intent.run:
        sentence = f"run {run} of this change is acting, not {case.intent.run}"
        yield Finding("run_acting", sentence, "Wait for its end.")
    elif not case.standing.has_lease:
        remedy = "Put its targets in order by hand; nothing acts without holding them."
        yield Finding("lease_released", "its lease was released", remedy)
    else:
        yield Satisfied("state", "this run passed the gate and holds its targets")


def not_aborted(case: Case) -> Answers:
    """Say whether nobody has ended the run by hand."""
    if case.standing.aborted:
        yield Finding("aborted", case.standing.aborted, ROLLED_BACK)
    else:
        yield Satisfied("not_aborted", "nobody has aborted it")


def targets_free(case: Case) -> Answers:
    """Say whether no other change holds the targets."""
    for held in case.standing.held:
        by_hand = f"Put {held.target} in order by hand, then run release_target; its rollback failed."
        remedy = "Wait until it is closed." if held.is_acting else by_hand
        yield Finding(TARGET_HELD, f"{held.target} is held by {held.change}", remedy)
    if not case.standing.held:
        yield Satisfied("targets_free", "no other change holds its targets")
