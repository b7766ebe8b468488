"""The calendar allows the window: maintenance windows are open, and no freeze holds."""

from changewindow.documents.findings import Finding
from changewindow.policy.assessment import Assessment
from changewindow.policy.check import Facts
from changewindow.ticket.model import Ticket


def check(ticket: Ticket, facts: Facts) -> list[Finding]:
    """Find everything the calendar has against a change that starts when its window opens."""
    if facts.policy is None:
        return []
    return Assessment(facts.policy, ticket, facts.data or {}, facts.change).objections(ticket.window.opens)
