"""The calendar allows the window: maintenance windows are open, and no freeze holds."""

from changewindow.documents.findings import Finding
from changewindow.policy.assessment import Assessment
from changewindow.policy.check import Facts
from changewindow.ticket.model import Ticket


def check(ticket: Ticket, facts: Facts) -> list[Finding]:
    """Find what speaks against the window, if the change starts as it opens."""
    if facts.policy is None:
        return []
    return Assessment(facts.policy, ticket, facts.data or {}, facts.change).objections(ticket.window.opens)
