"""No other change overlaps with this one: on its targets, on what they depend on, or in its people."""

from dataclasses import replace

from changewindow.documents.findings import Finding
from changewindow.policy.check import Facts
from changewindow.policy.conflicts import of_ticket, overlaps
from changewindow.ticket.model import Ticket


def check(ticket: Ticket, facts: Facts) -> list[Finding]:
    """Find the changes that overlap; an emergency takes precedence over all but those that are acting."""
    if facts.policy is None:
        return []
    goes_first = ticket.type == "emergency"
    return [
        replace(overlap.finding, is_warning=True) if goes_first and not overlap.other.holds else overlap.finding
        for overlap in overlaps(facts.policy.catalogue, of_ticket(facts.change, ticket), facts.others)
    ]
