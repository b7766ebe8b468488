"""The connections of a ticket serve its services in its environment; none of them is the product's own."""

from changewindow.documents.findings import Finding
from changewindow.policy.check import Facts
from changewindow.policy.connections import findings
from changewindow.ticket.model import Ticket


def check(ticket: Ticket, facts: Facts) -> list[Finding]:
    """Find connections that belong to somebody else, or that nobody has listed."""
    return list(findings(ticket, facts.policy.connections)) if facts.policy else []
