"""Says what a change waits for, and for whom, as the ledger and the policy know it."""

from collections.abc import Iterator
from datetime import datetime

from changewindow.changes.event_text import sentence, who
from changewindow.errors import BadPolicy, ChangeError
from changewindow.ledger import changes, events, leases
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.models import Change
from changewindow.policy.model import Policy
from changewindow.ticket.model import Ticket
from changewindow.ticket.reader import build_ticket

ACTIONS = "under Required Actions in Airflow"
ASKED = {"nobody_approved", "only_requester", "approval_expired", "approvals_missing", "text_not_approved"}
"""What people answer there."""
NEXT = "nothing stands against it; its run is next"
PASSED_OVER = {
    *(EventKind.READ, EventKind.CLICKED, EventKind.BUTTON_PRESSED),
    *(EventKind.MESSAGE_SENT, EventKind.MESSAGE_FAILED),
}
"""Events that do not say how far a change is."""
LEFT = {
    "rollback_failed": "waits for {owner}: repair {targets} by what the log of `close` names, then run release_target",
    "missed": "waits for {owner}: run reslot_change to give it another window",
}
"""What has ended, and still needs a person."""


def waits_for(ledger: Ledger, change: Change, policy: Policy | BadPolicy, now: datetime) -> list[str]:
    """Return what a change waits for, a line each; of one that acts, what it does now. Empty when nothing is left.

    Raises:
        LedgerDown: the ledger does not answer.
    """
    if change.status == "running":
        return list(_now(ledger, change))
    if change.status in LEFT:
        targets = ", ".join(_ticket(ledger, change).targets)
        return [LEFT[change.status].format(owner=change.owner, targets=targets)]
    return list(_before_the_gate(ledger, change, policy, now)) if change.status in changes.WAITING else []


def _now(ledger: Ledger, change: Change) -> Iterator[str]:
    """Yield what happened last; who is asked answers, and nobody else."""
    rows = [row for row in events.history(ledger, change.id) if row.kind not in PASSED_OVER]
    if change.aborted:
        yield f"{change.aborted}; it is being rolled back"
    for row in rows[-1:]:
        is_asking = row.kind == EventKind.ASKED
        text = sentence(events.payload(row))
        yield f"{row.at:%H:%M:%S} UTC: {who(row)} {text}{f' ({ACTIONS})' if is_asking else ''}"


def _before_the_gate(ledger: Ledger, change: Change, policy: Policy | BadPolicy, now: datetime) -> Iterator[str]:
    try:
        decision = leases.explain(ledger, change.id, policy, mode="run", now=now)
    except ChangeError as error:
        yield str(error)
        return
    for finding in decision.findings:
        where = f" ({ACTIONS})" if finding.code in ASKED else ""
        yield f"waits: {finding.sentence}. {finding.remedy.removesuffix('.')}{where}."
    if decision.may_act:
        yield from _preflight(ledger, change)


def _preflight(ledger: Ledger, change: Change) -> Iterator[str]:
    """Yield what a run asks before its gate."""
    ticket = _ticket(ledger, change)
    items = ticket.preflight.confirmed
    if items and not events.history(ledger, change.id, EventKind.CONFIRMED):
        yield f"waits for {ticket.owner} to confirm {ACTIONS}: {'; '.join(items)}"
    checks = ", ".join(check.name for check in ticket.preflight.checks)
    yield f"waits for its checks to be good: {checks}" if checks else NEXT


def _ticket(ledger: Ledger, change: Change) -> Ticket:
    return build_ticket(changes.revision(ledger, change.id))
