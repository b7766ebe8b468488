"""Something proves after a rollback that all is as before, and every step is undone by its kind."""

from changewindow.documents.findings import Finding
from changewindow.policy.check import Facts
from changewindow.ticket.model import Ticket

CODE = "rollback_is_proven"


def check(ticket: Ticket, facts: Facts) -> list[Finding]:
    """Find what only an emergency may leave open that is declared by `emergency_change`."""
    del facts
    findings = []
    if not ticket.rollback.verify:
        remedy = "Write the conditions that are good when all is as before."
        findings.append(Finding(CODE, "nothing would prove a rollback", remedy, ("rollback", "verify")))
    if ticket.rollback.by_hand:
        remedy = "Give each step its undo; a declared emergency (`emergency_change`) may do without."
        findings.append(Finding(CODE, "nothing would be undone", remedy, ("rollback", "by_hand")))
    return findings
