"""Says whether the text of a run was declared to be an emergency, by its sealed event; no type of a ticket does."""

from changewindow.flow.runtime import Run
from changewindow.ledger import events
from changewindow.ledger.payloads import Declared


def declared(run: Run) -> Declared | None:
    """Return the declaration of the text that runs; None for every other change.

    Raises:
        LedgerDown: the ledger cannot be read.
    """
    return next((event for event in events.past(run.ledger, run.change.id, Declared) if _is_of(event, run)), None)


def _is_of(event: Declared, run: Run) -> bool:
    return event.digest == run.change.digest
