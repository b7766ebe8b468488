"""Says how a temporary workaround goes: by rolling its change back, or by a ticket, and what its undo would do."""

from datetime import datetime

from changewindow.changes.housekeeping import is_over
from changewindow.changes.messages import rollback_text
from changewindow.ledger import changes
from changewindow.ledger.database import Ledger
from changewindow.policy.aftercare import Aftercare
from changewindow.ticket.reader import build_ticket


def how_it_goes(ledger: Ledger, owed: Aftercare, now: datetime) -> str:
    """Return what takes a workaround away, for whoever is told that it has to go.

    Raises:
        ChangeError: the ledger does not say what ran.
    """
    row, ticket = changes.get(ledger, owed.change), build_ticket(changes.text_of(ledger, owed.change, owed.digest))
    can_roll_back = row.status == "completed" and not is_over(row, now)
    how = f"trigger {owed.change} with mode `rollback`" if can_roll_back else "submit a ticket that takes it back"
    return f"{how} ({rollback_text(ticket)})"
