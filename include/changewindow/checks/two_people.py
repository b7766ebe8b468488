"""Owner and reviewer are two people."""

from changewindow.policy.check import Facts, Problem
from changewindow.ticket.model import Ticket


def check(ticket: Ticket, facts: Facts) -> list[Problem]:
    """Find an owner who would review alone."""
    if ticket.owner.casefold() != ticket.reviewer.casefold():
        return []
    says = f"{ticket.owner} is owner and reviewer"
    return [Problem("reviewer", says, "Name a second person who stands by.")]
