"""The watch is as long as the calendar requires: high risk and Fridays may need a longer look."""

from changewindow.documents.findings import Finding
from changewindow.documents.types import duration_text
from changewindow.policy.check import Facts
from changewindow.ticket.model import Ticket


def check(ticket: Ticket, facts: Facts) -> list[Finding]:
    """Find a watch that is shorter than the longest one the calendar requires for the change."""
    if facts.policy is None:
        return []
    calendar = facts.policy.schedule.calendar
    rules = [rule for rule in calendar.watches if rule.is_for(ticket, calendar.zone)]
    longest = max(rules, key=lambda rule: rule.at_least, default=None)
    if longest is None or ticket.watch.length >= longest.at_least:
        return []
    least, given = duration_text(longest.at_least), duration_text(ticket.watch.length)
    sentence = f"{given} is too short: '{longest.name}' requires at least {least}"
    remedy = f"Write `for: {least}`, in a window that is long enough."
    return [Finding("watch_is_long_enough", sentence, remedy, ("watch", "for"))]
