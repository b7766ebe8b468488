"""Looks after the runs that roll completed changes back, as people have wanted it outside of Airflow."""

from typing import Any

from airflow.sdk.definitions.context import Context

from changewindow.changes.housekeeping import KEPT
from changewindow.errors import ChangeError
from changewindow.flow.posting import post
from changewindow.flow.run_request import run_request
from changewindow.flow.runtime import Run, log, now
from changewindow.ledger import payloads, presses
from changewindow.ledger.database import Ledger
from changewindow.ledger.presses import Wanted


def requests(context: Context, here: Ledger) -> list[dict[str, Any]]:
    """Return what triggers each rollback that is wanted; asked for twice, it is the same run."""
    return [_request(context, wanted) for wanted in presses.wanted_rollbacks(here, now(), KEPT)]


def wanted_by(here: Ledger, change: str) -> str:
    """Return who has wanted a completed change to be rolled back outside of Airflow; nobody while that is not known."""
    try:
        wanted = presses.wanted_rollback(here, change)
    except ChangeError as error:
        log.warning("who wants %s to be rolled back is not known: %s", change, error)
        return ""
    return wanted.person if wanted else ""


def give_up(run: Run) -> None:
    """Say that a rollback which people want has not begun, where the gate of its run has not said so.

    Somebody has marked the run, or it died; whoever wants the rollback asks for it again, and has another run then.
    """
    try:
        wanted = presses.wanted_rollback(run.ledger, run.change.id)
    except ChangeError as error:
        log.warning("whether %s is wanted to be rolled back is not known: %s", run.change.id, error)
        return
    if wanted is None or wanted.run != run.id:
        return
    reason = f"its run {run.id} ended before its gate"
    run.note(payloads.Refused(outcome="refused", reasons=(reason,)))
    told = f"🚨 {run.change.id} is NOT rolled back, as {wanted.person} had asked: {reason}. Ask for it again."
    post(told, now(), change=run.change.id, is_loud=True)


def _request(context: Context, wanted: Wanted) -> dict[str, Any]:
    log.warning("%s is rolled back: %s asked for it by %s", wanted.change, wanted.person, wanted.reason)
    conf = {"mode": "rollback", "reason": f"{wanted.person} asked for it by {wanted.reason}"}
    return run_request(context, wanted.change, wanted.run, conf)
