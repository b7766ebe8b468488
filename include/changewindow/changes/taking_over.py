"""Has a change rolled back that holds what an emergency needs: its own run does that, once it is aborted."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from changewindow.documents.findings import Finding
from changewindow.errors import BadPolicy, ChangeError, NotAllowed
from changewindow.ledger import changes
from changewindow.ledger.database import Ledger
from changewindow.policy.assessment import Assessment
from changewindow.policy.model import Policy
from changewindow.policy.rights import Intervention, Involved, Rights, objection
from changewindow.ticket.reader import build_ticket

log = logging.getLogger("changewindow")
WhyNot = Callable[[str], Finding | None]
"""Returns why a change may not be aborted for an emergency by whoever declares that; nothing if it may."""


@dataclass(frozen=True)
class TakesOver:
    """An emergency in whose favour others end, and who says so."""

    change: str
    summary: str
    person: str


def end(ledger: Ledger, holder: str, emergency: TakesOver, why_not: WhyNot, *, now: datetime) -> str:
    """Abort a change in favour of an emergency, once; return what became of that, or nothing where it was before.

    Who may not abort it waits for it.

    Raises:
        LedgerDown: it is not aborted, as far as that is known.
    """
    if changes.get(ledger, holder).aborted:
        return ""
    if wrong := why_not(holder):
        return f"{holder} is waited for: {wrong.reason}"
    reason = f"the emergency {emergency.change} takes over: {emergency.summary}"
    try:
        changes.abort(ledger, holder, person=emergency.person, reason=reason, now=now)
    except NotAllowed as error:
        return f"{holder} has ended meanwhile: {error}"
    return f"{holder} is aborted, and rolled back by its own run: {reason}"


def involved(ledger: Ledger, change: str, rules: Policy) -> Involved:
    """Return the people of a change, as far as they are known."""
    try:
        stored, data = changes.get(ledger, change), changes.revision(ledger, change)
        assessment = Assessment(rules, build_ticket(data), data, change)
    except ChangeError as error:
        log.warning("who is involved in %s is not known: %s", change, error)
        return Involved()
    people = [person for need in assessment.needs for person in need.people]
    is_anybody = not all(need.people for need in assessment.needs) or not assessment.needs
    return Involved(stored.requester, assessment.owners, None if is_anybody else tuple(people))


def objection_to_abort(ledger: Ledger, rules: Policy | BadPolicy, change: str, person: str) -> Finding | None:
    """Return why a person of whom no role is known may not abort a change; nothing if they may."""
    return objection_by_name(ledger, rules, change, Intervention("abort", person, is_operator=False))


def objection_by_name(ledger: Ledger, rules: Policy | BadPolicy, change: str, wanted: Intervention) -> Finding | None:
    """Return why somebody may not intervene in a change, by their name and groups; nothing if they may.

    While the policy cannot be read, what stops a change is open as by default.
    """
    if isinstance(rules, BadPolicy):
        return objection(Rights(), {}, wanted, Involved())
    return objection(rules.rights, rules.approvals.groups, wanted, involved(ledger, change, rules))
