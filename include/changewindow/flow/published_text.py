"""What is published may be anybody's: whatever runs, asks or undoes something by it asks the ledger first."""

from datetime import timedelta

from airflow.sdk.exceptions import AirflowFailException

from changewindow.changes.handover import NotGood, Passed
from changewindow.documents.findings import Finding
from changewindow.errors import LedgerDown, NotAllowed
from changewindow.flow.runtime import Run, log, now
from changewindow.ledger import leases
from changewindow.policy.standing import Intent


def require_text(run: Run, *, forward: bool) -> bool:
    """Make sure that the text of a run is the newest in the ledger and, before the gate or in a dry run, approved.

    Returns:
        Whether the ledger could be asked; where not, see `require_passed_text`.

    Raises:
        NotAllowed: with each finding.
        LedgerDown: it cannot be read; only what goes back goes on without it.
    """
    if forward and run.mode != "rollback":
        leases.require_text(run.ledger, run.change.id, run.intent, now=now(), assessment=run.assessed)
        return True
    at = now()
    back = Intent(run.id, run.change.digest, at, at, timedelta(0), mode="rollback")
    try:
        leases.require_text(run.ledger, run.change.id, back, now=at)
    except LedgerDown as down:
        log.warning("%s", down)
        return False
    return True


def require_passed_text(run: Run) -> None:
    """Make sure, without the ledger, that the text and the values of a run are those with which it passed its gate.

    Any text that was once published has its seal, also one that was replaced since.

    Raises:
        NotAllowed: they are others.
        MemoryUnknown: what the gate handed over is not there.
    """
    passed = run.handed(Passed, "gate")
    if passed is None:
        raise run.unknown(
            "with which text it passed its gate", "the ledger is down, and the gate's own note is missing"
        )
    is_same = passed.digest == run.change.digest and (run.mode == "rollback" or passed.values == run.values)
    if passed.digest is not None and not is_same:
        sentence = "its published text, or its values, are not those with which this run passed its gate"
        remedy = "Bring the ledger back; housekeeping publishes what was approved again, and rolls the change back."
        raise NotAllowed(run.change.id, [Finding("text_not_passed", sentence, remedy)])


def require_text_of_run(run: Run) -> None:
    """Make sure of the text of a run that is through its gate, whether the ledger can be asked or not; see both."""
    if not require_text(run, forward=False):
        require_passed_text(run)


def require_text_to_ask(run: Run, *, forward: bool = True) -> None:
    """Make sure of the same before something is measured or asked; else leave the reasons for the gate.

    Raises:
        AirflowFailException: the text is not what the ledger holds; it is not tried again.
    """
    try:
        require_text(run, forward=forward)
    except NotAllowed as refused:
        run.hand_over(NotGood(reason=" ".join(refused.reasons)))
        raise AirflowFailException(str(refused)) from refused
