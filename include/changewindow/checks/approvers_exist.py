"""The change is of the type it claims, and enough people besides its requester can approve it."""

from changewindow.documents.findings import Finding
from changewindow.policy.approvals import too_few
from changewindow.policy.assessment import Assessment
from changewindow.policy.check import Facts
from changewindow.ticket.model import Ticket


def check(ticket: Ticket, facts: Facts) -> list[Finding]:
    """Find a standard change that is not in the catalogue, and levels of approval that can never be reached."""
    if facts.policy is None:
        return []
    assessment = Assessment(facts.policy, ticket, facts.data or {}, facts.change)
    findings = []
    if ticket.type == "standard" and assessment.standard is None:
        sentence = "this matches no standard change of the catalogue, so people are asked to approve it"
        remedy = "Ask for it by its name with `standard`, or write `type: normal`."
        findings.append(Finding("approvers_exist", sentence, remedy, ("type",), is_warning=True))
    missing = too_few(assessment.needs, facts.requester) if facts.requester else []
    remedy = "Have somebody else ask for it, or add people to the group in approvals.yaml."
    return findings + [Finding("approvers_exist", sentence, remedy, ("type",)) for sentence in missing]
