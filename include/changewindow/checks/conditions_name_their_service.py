"""Where a change touches several services, each condition says which of them it is about."""

from changewindow.documents.findings import Finding
from changewindow.policy.check import Facts
from changewindow.ticket.model import Ticket


def check(ticket: Ticket, facts: Facts) -> list[Finding]:
    """Warn of conditions that leave it open: at night, 'error rate is bad' sends nobody to the right service."""
    del facts
    if len(set(ticket.services)) == 1:
        return []
    conditions = (*ticket.conditions, *ticket.rollback.verify)
    names = dict.fromkeys(
        condition.name
        for condition in conditions
        if condition.service is None and not any(service in condition.name for service in ticket.services)
    )
    if not names:
        return []
    listed = ", ".join(f"'{name}'" for name in names)
    sentence = f"of {', '.join(ticket.services)}, it is not said which one each condition is about: {listed}"
    remedy = "Write `service:` with its name into them."
    return [Finding("conditions_name_their_service", sentence, remedy, ("services",), is_warning=True)]
