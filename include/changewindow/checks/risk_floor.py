"""The risk is not lower than the policy allows: a change of configuration is never low."""

from changewindow.documents.findings import Finding
from changewindow.policy.check import Facts
from changewindow.ticket.model import Ticket


def check(ticket: Ticket, facts: Facts) -> list[Finding]:
    """Find a risk below that of the services, or of a change of configuration."""
    if facts.policy is None:
        return []
    floor = facts.policy.catalogue.floor(ticket)
    if floor.admits(ticket.risk):
        return []
    sentence = f"{ticket.risk} is too low: {floor.why} is at least {floor.risk}"
    return [Finding("risk_floor", sentence, f"Write `risk: {floor.risk}`.", ("risk",))]
