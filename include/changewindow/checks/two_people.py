"""Owner and reviewer are two people."""

from changewindow.documents.findings import Finding
from changewindow.policy.check import Facts
from changewindow.ticket.model import Ticket


def check(ticket: Ticket, facts: Facts) -> list[Finding]:
    """Find an owner who would review alone."""
    if ticket.owner.casefold() != ticket.reviewer.casefold():
        return []
    sentence = f"{ticket.owner} is both owner and reviewer"
    return [Finding("two_people", sentence, "Name a second person as reviewer.", ("reviewer",))]
