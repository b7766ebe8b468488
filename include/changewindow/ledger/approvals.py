"""Takes people's yes and no to the text of a change, and says whose yes is still missing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from changewindow.documents.text import spoken
from changewindow.errors import ApprovalRefused
from changewindow.ledger import payloads
from changewindow.ledger.changes import WAITING
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, append, is_id, known, locked, number
from changewindow.ledger.models import Approval, Change, identity
from changewindow.ledger.standing import standing_of
from changewindow.policy.approval_rules import approvers, next_approval
from changewindow.policy.sign_off import PendingApproval, RequiredApproval, same_person
from changewindow.policy.standing import ALTERED, Case, Intent, Standing


def asked(ledger: Ledger, change: str, intent: Intent, *, now: datetime) -> PendingApproval | None:
    """Return the approval that is asked for next; when none is, the change is approved from now on."""
    with ledger.transaction() as session:
        row = locked(session, change)
        _require_waiting(row)
        case = Case(_standing(session, row), intent, None, now)
        pending = next_approval(case)
        if pending is None:
            _approve(session, row, ", ".join(approvers(case)) or "policy", now)
        return pending


def decide(
    ledger: Ledger, change: str, intent: Intent, *, person: str, is_yes: bool, now: datetime, reason: str = ""
) -> PendingApproval | None:
    """Record a person's yes or no to the digest of the intent; return the approval that is asked for next.

    A no ends the change, for the `reason` that its requester reads.

    Raises:
        ApprovalRefused: the person is not asked, the text is another one, it is too late, or nothing waits for it.
    """
    with ledger.transaction() as session:
        answer = Answer(person, is_yes=is_yes, reason=reason)
        return decide_in(session, change, intent, answer, now=now)


@dataclass(frozen=True)
class Answer:
    """A person's yes or no."""

    person: str
    is_yes: bool
    reason: str = ""
    """Why, of a no."""
    is_vetted: bool = True
    """Whether only those could answer who are asked, as Airflow sees to; elsewhere a no counts of them alone, too."""


def decide_in(
    session: Session, change: str, intent: Intent, answer: Answer, *, now: datetime
) -> PendingApproval | None:
    """Do the same inside the caller's transaction."""
    person = answer.person
    row = locked(session, change)
    _require_waiting(row)
    standing = _standing(session, row)
    required = _counting(row, intent, next_approval(Case(standing, intent, None, now)), answer, now=now)
    until = now + required.valid
    session.add(
        Approval(
            number=row.number,
            digest=intent.digest,
            person=person,
            role=required.level,
            is_yes=answer.is_yes,
            at=now,
            expires_at=until,
        )
    )
    decided = payloads.ApprovalDecided(digest=intent.digest, level=required.level, yes=answer.is_yes, expires=until)
    append(session, Event(change, person, now, decided))
    if not answer.is_yes:
        rejected = payloads.Rejected(digest=intent.digest, **({"reason": answer.reason} if answer.reason else {}))
        row.status, row.closed_at, row.reason = "rejected", now, rejected.by(person)
        append(session, Event(change, person, now, rejected))
        return None
    session.flush()
    pending = next_approval(Case(standing_of(session, row), intent, None, now))
    if pending is None:
        _approve(session, row, person, now)
    return pending


def approvers_of(ledger: Ledger, change: str, now: datetime) -> list[str]:
    """Return whose approvals of the newest text of a change count now."""
    with ledger.reading() as session:
        row = known(session, change)
        intent = Intent("", row.digest, row.opens, row.closes, timedelta(0))
        return approvers(Case(standing_of(session, row), intent, None, now))


def counts(ledger: Ledger, identities: Iterable[str], now: datetime) -> dict[str, int]:
    """Return how many people have approved the newest text of each change, as the rows say: whoever acts asks again."""
    numbers = [number(name) for name in identities if is_id(name)]
    people = func.count(func.distinct(Approval.person))
    of_text = (Approval.number == Change.number) & (Approval.digest == Change.digest)
    counting = Approval.is_yes & (Approval.expires_at > now) & Change.number.in_(numbers)
    with ledger.reading() as session:
        rows = session.execute(
            select(Change.number, people).join(Approval, of_text).where(counting).group_by(Change.number)
        )
        return {identity(key): count for key, count in rows}


def is_proven(ledger: Ledger, change: str) -> bool:
    """Return whether it is known who requested a change, as its events say."""
    with ledger.reading() as session:
        return standing_of(session, known(session, change)).is_proven


def _standing(session: Session, row: Change) -> Standing:
    """Return what the ledger knows of a change whose record is whole.

    Raises:
        ApprovalRefused: somebody has altered it.
    """
    standing = standing_of(session, row)
    if standing.altered:
        listed = "; ".join(standing.altered)
        raise ApprovalRefused(f"{row.id}: {listed}. {ALTERED}")
    return standing


def _require_waiting(row: Change) -> None:
    if row.status not in WAITING:
        raise ApprovalRefused(f"{row.id} is {spoken(row.status)}; nothing waits for a decision.")


def _counting(
    row: Change, intent: Intent, pending: PendingApproval | None, answer: Answer, *, now: datetime
) -> RequiredApproval:
    """Return the level at which this person's word counts now.

    Raises:
        ApprovalRefused: it does not count.
    """
    change, person = row.id, answer.person
    if row.digest != intent.digest:
        raise ApprovalRefused(f"{change} has a newer text than the one that was shown; look at it and decide again.")
    if pending is None:
        raise ApprovalRefused(f"{change} is {spoken(row.status)}; nothing waits for a decision.")
    if answer.is_yes and same_person(person, row.requester):
        raise ApprovalRefused(f"{person} requested {change} and cannot approve it; ask a second person.")
    if answer.is_yes and row.closes <= now:
        raise ApprovalRefused(
            f"{change}: the window ended {row.closes:%Y-%m-%d %H:%M} UTC; run reslot_change to give it a new one."
        )
    if not pending.admits(person) if answer.is_yes else not answer.is_vetted and not pending.asks(person):
        named = ", ".join(pending.people) or "anybody who has not said yes yet"
        word = "yes" if answer.is_yes else "no"
        raise ApprovalRefused(
            f"{person}'s {word} does not count at level '{pending.required.level}' of {change}; asked are: {named}."
        )
    return pending.required


def _approve(session: Session, row: Change, by: str, now: datetime) -> None:
    if row.status != "approved":
        row.status = "approved"
        append(session, Event(row.id, by, now, payloads.Approved(digest=row.digest)))
