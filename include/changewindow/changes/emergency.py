"""Declares an emergency: what it skips is found by the gate's own rules, and sealed with who agreed."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from changewindow.changes.emergency_form import Emergency
from changewindow.changes.emergency_ticket import Made
from changewindow.errors import BadPolicy, BadRequest, BrokenChain
from changewindow.ledger import emergencies, owing, stops
from changewindow.ledger.changes import Submitted
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import Declared
from changewindow.ledger.payloads.emergency import Skipped
from changewindow.policy.assessment import Assessment
from changewindow.policy.model import Policy
from changewindow.policy.second_person import named, people_of, second_person
from changewindow.policy.skipped import Skip, skipped
from changewindow.policy.standing import Case, Intent, LineStop, Standing
from changewindow.ticket.model import Ticket
from changewindow.ticket.window import Window

BACK = timedelta(days=400)
"""How long ago a change may have owed its review whose target asks for a second person."""


def declare(
    ledger: Ledger, emergency: Emergency, rules: Policy | BadPolicy, *, person: str, now: datetime, origin: str
) -> Submitted:
    """Put an emergency into the ledger, with all that it skips; the same origin declares it once.

    Raises:
        BadRequest: no incident is open, the review of an earlier change is overdue, and no second person agrees.
    """
    declared = with_skips(emergency, rules, ledger, person=person, now=now)
    return emergencies.declare(ledger, emergency.made.data, declared, person=person, now=now, origin=origin)


def with_skips(
    emergency: Emergency, rules: Policy | BadPolicy, ledger: Ledger | None, *, person: str, now: datetime
) -> Declared:
    """Return a declaration with all that it skips; without the ledger, as far as that is known.

    Raises:
        BadRequest: no incident is open, the review of an earlier change is overdue, and no second person agrees.
    """
    made = emergency.made
    stopped = stops.in_force(ledger, now) if ledger else ()
    reviews = overdue_reviews(ledger, emergency, rules, person=person, now=now) if ledger else ()
    skips = (*would_have_waited(stopped, made, rules, person=person, now=now), *made.skips, *reviews)
    return emergency.declared.model_copy(update={"skipped": tuple(Skipped(**asdict(skip)) for skip in skips)})


def overdue_reviews(
    ledger: Ledger, emergency: Emergency, rules: Policy | BadPolicy, *, person: str, now: datetime
) -> tuple[Skip, ...]:
    """Return the mark that reviews of changes of its targets are overdue; nothing where none is.

    Raises:
        BadRequest: no incident is open, and no second person agrees.
    """
    said, targets = emergency.declared, emergency.made.ticket.targets if emergency.made.ticket else ()
    if said.is_drill:
        return ()
    try:
        owed = owing.of_targets(ledger, targets, now - BACK)
    except BrokenChain as broken:
        return (Skip("reviews_unknown", f"whether a review is overdue is not known: {broken}"),)
    wanted = second_person(owed, targets, has_open_incident=bool(said.incident), now=now)
    if wanted is None:
        return ()
    known = () if isinstance(rules, BadPolicy) else people_of(rules)
    objection = wanted.objection(emergency.second_person, (person, said.commander, said.executor), known)
    if objection:
        raise BadRequest(f"second_person: {objection.sentence}. {objection.remedy}")
    agreed = f"; {named(emergency.second_person, known)}" if emergency.second_person else ""
    return (Skip("review_overdue", f"{wanted.sentence}{agreed}"),)


def would_have_waited(
    stopped: tuple[LineStop, ...], made: Made, rules: Policy | BadPolicy, *, person: str, now: datetime
) -> tuple[Skip, ...]:
    """Return what the gate would have against it now, were it a normal change that somebody has just asked for."""
    if made.ticket is None:
        return ()
    ticket = _as_normal(made.ticket, made.normal)
    standing = Standing("submitted", person, None, (), digest="", stops=stopped)
    intent = Intent("", "", ticket.window.opens, ticket.window.closes, ticket.needs)
    assessed = rules if isinstance(rules, BadPolicy) else Assessment(rules, ticket, made.normal)
    return skipped(Case(standing, intent, assessed, now))


def _as_normal(ticket: Ticket, normal: dict[str, Any]) -> Ticket:
    """Return the ticket as it would be judged if it were none of an emergency; nothing of this one ever runs."""
    window = Window.model_validate(normal["window"])
    return ticket.model_copy(update={"type": normal["type"], "window": window})
