"""The window lies ahead and is long enough for steps, watch and the way back."""

from changewindow.documents.types import duration_text
from changewindow.policy.check import Facts, Problem
from changewindow.ticket.model import Ticket


def check(ticket: Ticket, facts: Facts) -> list[Problem]:
    """Find a window that is over, or shorter than what the change may need."""
    found = []
    if ticket.window.closes <= facts.now:
        says = f"the window ended {ticket.window.closes:%Y-%m-%d %H:%M} UTC; it is {facts.now:%Y-%m-%d %H:%M} UTC"
        found.append(Problem("window.end", says, "Ask for a window that lies ahead."))
    length = ticket.window.closes - ticket.window.opens
    settle = ticket.preflight.settle
    needs = settle + ticket.needs
    if needs > length:
        steps = ticket.forward - ticket.watch.length - ticket.watch.settle
        settles = f"preflight {duration_text(settle)}, " if settle else ""
        parts = (
            f"{settles}steps {duration_text(steps)}, watch {duration_text(ticket.watch.length + ticket.watch.settle)}, "
            f"rollback {duration_text(ticket.rollback.estimate)}"
        )
        says = f"the change needs {duration_text(needs)} ({parts}), the window has {duration_text(length)}"
        found.append(Problem("window", says, "Lower the steps' `timeout`, or ask for a longer window."))
    return found
