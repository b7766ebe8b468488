"""Asks for the runs that roll completed changes back, as people have wanted it outside of Airflow."""

from typing import Any

from airflow.sdk.definitions.context import Context

from changewindow.changes.housekeeping import KEPT
from changewindow.errors import ChangeError
from changewindow.flow.run_request import run_request
from changewindow.flow.runtime import log, now
from changewindow.ledger import presses
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


def _request(context: Context, wanted: Wanted) -> dict[str, Any]:
    log.warning("%s is rolled back: %s asked for it by %s", wanted.change, wanted.person, wanted.reason)
    conf = {"mode": "rollback", "reason": f"{wanted.person} asked for it by {wanted.reason}"}
    return run_request(context, wanted.change, wanted.run, conf)
