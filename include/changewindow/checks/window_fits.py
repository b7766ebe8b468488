"""The window lies ahead, and is long enough for steps, watch and rollback."""

from changewindow.documents.findings import Finding
from changewindow.documents.types import duration_text
from changewindow.policy.check import Facts
from changewindow.ticket.model import Ticket


def check(ticket: Ticket, facts: Facts) -> list[Finding]:
    """Find a window that is over, or shorter than what the change may need."""
    findings = []
    if ticket.window.closes <= facts.now:
        sentence = f"the window ended {ticket.window.closes:%Y-%m-%d %H:%M} UTC; it is {facts.now:%Y-%m-%d %H:%M} UTC"
        findings.append(Finding("window_fits", sentence, "Ask for a window in the future.", ("window", "end")))
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
        sentence = f"the change needs {duration_text(needs)} ({parts}), the window has {duration_text(length)}"
        remedy = "Lower the steps' `timeout`, or ask for a longer window."
        findings.append(Finding("window_fits", sentence, remedy, ("window",)))
    return findings
