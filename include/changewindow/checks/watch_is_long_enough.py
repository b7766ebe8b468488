"""The watch is as long as the calendar asks for: high risk and Fridays may need a longer look."""

from changewindow.documents.types import duration_text
from changewindow.policy.check import Facts, Problem
from changewindow.ticket.model import Ticket


def check(ticket: Ticket, facts: Facts) -> list[Problem]:
    """Find a watch that is shorter than the longest one the calendar wants for the change."""
    if facts.policy is None:
        return []
    calendar = facts.policy.schedule.calendar
    wanted = [one for one in calendar.watches if one.is_for(ticket, calendar.zone)]
    longest = max(wanted, key=lambda one: one.at_least, default=None)
    if longest is None or ticket.watch.length >= longest.at_least:
        return []
    least, given = duration_text(longest.at_least), duration_text(ticket.watch.length)
    says = f"{given} is too short: '{longest.name}' wants at least {least}"
    return [Problem("watch.for", says, f"Write `for: {least}`, in a window that is long enough.")]
