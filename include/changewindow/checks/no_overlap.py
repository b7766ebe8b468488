"""No other change meets this one at the same time: on its targets, on what they need, or its people."""

from changewindow.policy.check import Facts, Problem
from changewindow.policy.conflicts import of_ticket, overlaps
from changewindow.ticket.model import Ticket


def check(ticket: Ticket, facts: Facts) -> list[Problem]:
    """Find the changes that meet this one; an emergency goes first, and only a change that acts stands in its way."""
    if facts.policy is None:
        return []
    holding = {other.change for other in facts.others if other.holds}
    goes_first = ticket.type == "emergency"
    return [
        Problem(
            _place(ticket, overlap.shared) if overlap.kind == "people" else "window",
            overlap.says,
            overlap.remedy,
            is_warning=not overlap.blocks or (goes_first and overlap.change not in holding),
        )
        for overlap in overlaps(facts.policy.catalogue, of_ticket(facts.change, ticket), facts.others)
    ]


def _place(ticket: Ticket, people: tuple[str, ...]) -> str:
    return "owner" if ticket.owner in people else "reviewer"
