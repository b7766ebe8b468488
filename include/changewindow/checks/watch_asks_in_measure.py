"""The watch does not ask so often that the watches of others have to wait."""

from datetime import timedelta

from changewindow.documents.findings import Finding
from changewindow.documents.types import duration_text
from changewindow.policy.check import Facts
from changewindow.ticket.model import Ticket

MOST = 100
"""Questions of one change in a second; one process asks those of all changes."""


def check(ticket: Ticket, facts: Facts) -> list[Finding]:
    """Find a watch that asks all its sources too often."""
    questions = sum(len(condition.sources) for condition in ticket.conditions)
    shortest = timedelta(seconds=questions / MOST)
    if ticket.watch.every >= shortest:
        return []
    sentence = f"{questions} sources every {duration_text(ticket.watch.every)} are more than {MOST} questions a second"
    remedy = f"Write at least {duration_text(shortest)}, or fewer conditions."
    return [Finding("watch_asks_in_measure", sentence, remedy, ("watch", "every"))]
