"""Services are in the catalogue and run in the environment of the change."""

from changewindow.documents.findings import Finding
from changewindow.documents.text import hint, nearest
from changewindow.policy.check import Facts
from changewindow.ticket.model import Ticket


def check(ticket: Ticket, facts: Facts) -> list[Finding]:
    """Find services that are not listed, if the policy minds, and environments where a listed one does not run."""
    if facts.policy is None:
        return []
    catalogue, findings = facts.policy.catalogue, []
    for index, name in enumerate(ticket.services):
        listed = catalogue.services.get(name)
        if listed is None and catalogue.unlisted != "allow":
            near = nearest(name, catalogue.services)
            remedy = f"Did you mean '{near}'?" if near else "Correct it, or have it added to services.yaml."
            sentence, place = f"'{name}' is not in the service catalogue", ("services", index)
            is_warning = catalogue.unlisted == "warn"
            findings.append(Finding("known_service", sentence, remedy, place, is_warning=is_warning))
        elif listed and ticket.environment not in listed.environments:
            sentence = f"{name} does not run in '{ticket.environment}'"
            remedy = hint(ticket.environment, listed.environments)
            findings.append(Finding("known_service", sentence, remedy, ("environment",)))
    return findings
