"""Declares an emergency: what it skips is found by the gate's own rules, and sealed with who agreed."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from changewindow.changes.emergency_form import Emergency
from changewindow.changes.emergency_ticket import Made
from changewindow.errors import BadPolicy
from changewindow.ledger import emergencies, stops
from changewindow.ledger.changes import Submitted
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads.emergency import Skipped
from changewindow.policy.assessment import Assessment
from changewindow.policy.model import Policy
from changewindow.policy.skipped import Skip, skipped
from changewindow.policy.standing import Case, Intent, Standing
from changewindow.ticket.model import Ticket
from changewindow.ticket.window import Window


def declare(
    ledger: Ledger, emergency: Emergency, rules: Policy | BadPolicy, *, person: str, now: datetime, origin: str
) -> Submitted:
    """Put an emergency into the ledger, with all that it skips; the same origin declares it once."""
    made = emergency.made
    skips = (*would_have_waited(ledger, made, rules, person=person, now=now), *made.skips)
    declared = emergency.declared.model_copy(update={"skipped": tuple(Skipped(**asdict(skip)) for skip in skips)})
    return emergencies.declare(ledger, made.data, declared, person=person, now=now, origin=origin)


def would_have_waited(
    ledger: Ledger, made: Made, rules: Policy | BadPolicy, *, person: str, now: datetime
) -> tuple[Skip, ...]:
    """Return what the gate would have against it now, were it a normal change that somebody has just asked for."""
    if made.ticket is None:
        return ()
    ticket = _as_normal(made.ticket, made.normal)
    standing = Standing("submitted", person, None, (), digest="", stops=stops.in_force(ledger, now))
    intent = Intent("", "", ticket.window.opens, ticket.window.closes, ticket.needs)
    assessed = rules if isinstance(rules, BadPolicy) else Assessment(rules, ticket, made.normal)
    return skipped(Case(standing, intent, assessed, now))


def _as_normal(ticket: Ticket, normal: dict[str, Any]) -> Ticket:
    """Return the ticket as it would be judged if it were none of an emergency; nothing of this one ever runs."""
    window = Window.model_validate(normal["window"])
    return ticket.model_copy(update={"type": normal["type"], "window": window})
