"""Says what is approved when the text of a change is, and by whom it must be, as the policy has it now."""

from changewindow.ledger import changes
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Change
from changewindow.policy.assessment import Assessment
from changewindow.policy.model import Policy
from changewindow.policy.standing import Intent
from changewindow.ticket.reader import build_ticket


def assessment_of(ledger: Ledger, change: str, rules: Policy) -> Assessment:
    """Return what the policy says of the newest text of a change."""
    data = changes.revision(ledger, change)
    return Assessment(rules, build_ticket(data), data, change)


def intent_of(change: Change, assessment: Assessment) -> Intent:
    """Return what is to be approved."""
    return Intent("", change.digest, change.opens, change.closes, assessment.ticket.needs, approvals=assessment.needs)
