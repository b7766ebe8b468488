"""Takes people's yes and no to the text of a change, and says whose yes it still lacks."""

from datetime import datetime

from sqlalchemy.orm import Session

from changewindow.errors import ApprovalRefused
from changewindow.ledger import payloads
from changewindow.ledger.changes import WAITING
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, append, locked
from changewindow.ledger.models import Approval, Change
from changewindow.ledger.standing import standing_of
from changewindow.policy.approval_rules import next_approval
from changewindow.policy.sign_off import PendingApproval, RequiredApproval, same_person
from changewindow.policy.standing import Case, Intent


def asked(ledger: Ledger, change: str, intent: Intent, *, now: datetime) -> PendingApproval | None:
    """Return what approval a change lacks; when it lacks none, it is approved from now on."""
    with ledger.transaction() as session:
        found = locked(session, change)
        _require_waiting(found)
        lacking = next_approval(Case(standing_of(session, found), intent, None, now))
        if lacking is None:
            _approve(session, found, "policy", now)
        return lacking


def decide(
    ledger: Ledger, change: str, intent: Intent, *, person: str, is_yes: bool, now: datetime
) -> PendingApproval | None:
    """Record a person's yes or no to the digest of the intent; return what approval is still lacking.

    Raises:
        ApprovalRefused: the person is not asked, the text is another one, it is too late, or nothing waits for it.
    """
    with ledger.transaction() as session:
        found = locked(session, change)
        _require_waiting(found)
        standing = standing_of(session, found)
        need = _counting(
            found, intent, next_approval(Case(standing, intent, None, now)), person=person, is_yes=is_yes, now=now
        )
        session.add(
            Approval(
                number=found.number,
                digest=intent.digest,
                person=person,
                role=need.level,
                is_yes=is_yes,
                at=now,
                expires_at=now + need.valid,
            )
        )
        decided = payloads.ApprovalDecided(digest=intent.digest, level=need.level, yes=is_yes)
        append(session, Event(change, person, now, decided))
        if not is_yes:
            found.status, found.closed_at, found.reason = "rejected", now, f"rejected by {person}"
            append(session, Event(change, person, now, payloads.Rejected(digest=intent.digest)))
            return None
        session.flush()
        lacking = next_approval(Case(standing_of(session, found), intent, None, now))
        if lacking is None:
            _approve(session, found, person, now)
        return lacking


def _require_waiting(found: Change) -> None:
    if found.status not in WAITING:
        raise ApprovalRefused(f"{found.id} is {found.status}; nothing waits for a decision.")


def _counting(
    found: Change, intent: Intent, lacking: PendingApproval | None, *, person: str, is_yes: bool, now: datetime
) -> RequiredApproval:
    """Return the level at which this person's word counts now.

    Raises:
        ApprovalRefused: it does not count.
    """
    change = found.id
    if found.digest != intent.digest:
        raise ApprovalRefused(f"{change} has a newer text than the one that was shown; look at it and decide again.")
    if lacking is None:
        raise ApprovalRefused(f"{change} is {found.status}; nothing waits for a decision.")
    if is_yes and same_person(person, found.requester):
        raise ApprovalRefused(f"{person} requested {change} and cannot approve it; ask a second person.")
    if is_yes and found.closes <= now:
        raise ApprovalRefused(
            f"{change}: the window ended {found.closes:%Y-%m-%d %H:%M} UTC; run reslot_change to give it a new one."
        )
    if is_yes and not lacking.admits(person):
        named = ", ".join(lacking.people) or "anybody who has not said yes yet"
        raise ApprovalRefused(
            f"{person}'s yes does not count at level '{lacking.need.level}' of {change}; asked are: {named}."
        )
    return lacking.need


def _approve(session: Session, found: Change, by: str, now: datetime) -> None:
    if found.status != "approved":
        found.status = "approved"
        append(session, Event(found.id, by, now, payloads.Approved(digest=found.digest)))
