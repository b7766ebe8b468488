"""The calendar allows the window: maintenance windows are open, and no freeze holds."""

from changewindow.policy.assessment import Assessment
from changewindow.policy.check import Facts, Problem
from changewindow.ticket.model import Ticket


def check(ticket: Ticket, facts: Facts) -> list[Problem]:
    """Find what speaks against the window, if the change starts as it opens."""
    if facts.policy is None:
        return []
    found = Assessment(facts.policy, ticket, facts.data or {}, facts.change).objections(ticket.window.opens)
    return [Problem("window", one.says, one.remedy, one.is_warning) for one in found]
