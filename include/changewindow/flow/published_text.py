"""What is published may be anybody's: whatever runs, asks or undoes something by it asks the ledger first."""

from datetime import timedelta

from airflow.sdk.exceptions import AirflowFailException

from changewindow.changes.handover import NotGood
from changewindow.errors import LedgerDown, NotAllowed
from changewindow.flow.runtime import Run, log, now
from changewindow.ledger import leases
from changewindow.policy.standing import Intent


def require_text(run: Run, *, forward: bool) -> None:
    """Make sure that the text of a run is the newest in the ledger and, before the gate or in a dry run, approved.

    Raises:
        NotAllowed: with each finding.
        LedgerDown: it cannot be read; only what goes back goes on without it.
    """
    if forward and run.mode != "rollback":
        leases.require_text(run.ledger, run.change.id, run.intent, now=now(), assessment=run.assessed)
        return
    at = now()
    back = Intent(run.id, run.change.digest, at, at, timedelta(0), mode="rollback")
    try:
        leases.require_text(run.ledger, run.change.id, back, now=at)
    except LedgerDown as down:
        log.warning("%s", down)


def require_text_to_ask(run: Run, *, forward: bool = True) -> None:
    """Make sure of the same before something is measured or asked; else leave the reasons for the gate.

    Raises:
        AirflowFailException: the text is not what the ledger holds; it is not tried again.
    """
    try:
        require_text(run, forward=forward)
    except NotAllowed as refused:
        run.hand_over(NotGood(reason="; ".join(refused.reasons)))
        raise AirflowFailException(str(refused)) from refused
