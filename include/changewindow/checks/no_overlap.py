"""No other change meets this one at the same time: on its targets, on what they need, or its people."""

from dataclasses import replace

from changewindow.documents.findings import Finding
from changewindow.policy.check import Facts
from changewindow.policy.conflicts import of_ticket, overlaps
from changewindow.ticket.model import Ticket


def check(ticket: Ticket, facts: Facts) -> list[Finding]:
    """Find the changes that meet this one; an emergency goes first, and only a change that acts stands in its way."""
    if facts.policy is None:
        return []
    goes_first = ticket.type == "emergency"
    return [
        replace(overlap.finding, is_warning=True) if goes_first and not overlap.other.holds else overlap.finding
        for overlap in overlaps(facts.policy.catalogue, of_ticket(facts.change, ticket), facts.others)
    ]
