"""Services are in the catalogue and run in the environment of the change."""

from changewindow.documents.text import hint, nearest
from changewindow.policy.check import Facts, Problem
from changewindow.ticket.model import Ticket


def check(ticket: Ticket, facts: Facts) -> list[Problem]:
    """Find services that are not listed, as the policy wants it, and environments where a listed one does not run."""
    if facts.policy is None:
        return []
    catalogue, found = facts.policy.catalogue, []
    for index, name in enumerate(ticket.services):
        listed = catalogue.services.get(name)
        if listed is None and catalogue.unlisted != "allow":
            near = nearest(name, catalogue.services)
            remedy = f"Did you mean '{near}'?" if near else "Correct it, or have it added to services.yaml."
            says = f"'{name}' is not in the service catalogue"
            found.append(Problem(f"services.{index}", says, remedy, is_warning=catalogue.unlisted == "warn"))
        elif listed and ticket.environment not in listed.environments:
            says = f"{name} does not run in '{ticket.environment}'"
            found.append(Problem("environment", says, hint(ticket.environment, listed.environments)))
    return found
