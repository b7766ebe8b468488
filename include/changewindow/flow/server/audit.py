"""Records in the ledger what people do by hand to the runs and tasks of a change, in the UI or by REST.

Airflow's own audit log is written before the action, whatever becomes of it, and leaves out some actions (bulk changes
of tasks, deleted tasks). This is written once a request was answered: who, what, and with which answer.
"""

import json
from datetime import UTC, datetime
from typing import Any

from changewindow import settings
from changewindow.errors import ChangeError, LedgerDown
from changewindow.flow.runtime import ledger, log
from changewindow.flow.server.asked import Asked
from changewindow.ledger import queries
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import Clicked
from changewindow.ledger.spool import Spool

LONGEST = 2000
"""Characters of a request that an event keeps."""


KEPT = {"action", "chosen_options", "dag_id", "dag_run_id", "logical_date", "map_index", "mode", "new_state", "state"}
KEPT |= {"entities", "run_after", "task_id", "task_ids"}
"""Fields whose values say what was done; of others only the names are kept, for whatever may stand in them."""


def record(asked: Asked, status: int, reason: str = "") -> None:
    """Write down for each change what was asked for and answered, or why it was refused; when the ledger is back."""
    body = json.dumps(without_values(asked.json))[:LONGEST] if asked.body else ""
    clicked = Clicked(method=asked.method, path=asked.path, body=body, status=status, reason=reason[:LONGEST])
    spool = Spool(ledger(), settings.read().spool)
    for change in _known(asked.changes):
        try:
            spool.record(Event(change, asked.person.name, datetime.now(UTC), clicked))
        except ChangeError as error:
            log.warning("a click on %s by %s is not recorded: %s", change, asked.person.name, error)


def _known(identities: tuple[str, ...]) -> list[str]:
    """Return those that the ledger knows, with one look; all of them while it is down."""
    try:
        return [change.id for change in queries.of_ids(ledger(), identities)]
    except LedgerDown:
        return list(identities)


def without_values(value: Any, *, is_kept: bool = False) -> Any:
    """Return the fields of a request, with the values of those that say what was done."""
    if isinstance(value, dict):
        return {name: without_values(inside, is_kept=name in KEPT) for name, inside in value.items()}
    if isinstance(value, list):
        return [without_values(inside, is_kept=is_kept) for inside in value]
    return value if is_kept or value is None or isinstance(value, bool) else "…"
