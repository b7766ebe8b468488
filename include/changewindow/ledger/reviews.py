"""Puts reviews, and what became of follow-ups and workarounds, into the ledger; each in one transaction."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from changewindow.documents.findings import Finding
from changewindow.errors import OperatorError
from changewindow.ledger.aftercare import of_change, owed_in
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, append, locked, payload
from changewindow.ledger.models import Change, EventRow
from changewindow.ledger.payloads import FollowedUp, Payload, Reviewed
from changewindow.policy.aftercare import Aftercare
from changewindow.policy.reviewing import why_no_follow_up, why_no_review

NOBODY_YET = ""
"""Stands for who reviews it, while only the change is judged."""


@dataclass(frozen=True)
class Written:
    """What a change owes after something was written of it."""

    owed: Aftercare
    is_new: bool = True
    """Whether it was written now, and not by an earlier try of the same run."""


def owing_review(ledger: Ledger, change: str) -> Aftercare:
    """Return what a change owes that owes a review, or has been reviewed.

    Raises:
        LedgerUnknown: there is no such change.
        OperatorError: it owes no review, or has not ended.
    """
    owed = of_change(ledger, change)
    _refuse(why_no_review(owed, change, NOBODY_YET))
    return _known(owed)


def review(ledger: Ledger, change: str, reviewed: Reviewed, *, person: str, now: datetime) -> Written:
    """Write a person's review of a change, bound to the digest of what ran; return what the change owes then.

    The same run writes it once, however often it is tried.

    Raises:
        LedgerUnknown: there is no such change.
        OperatorError: it owes no review, has not ended, or this person has reviewed it.
    """
    with ledger.transaction() as session:
        row = locked(session, change)
        owed = owed_in(session, row)
        if owed is not None and _is_written(session, row, reviewed):
            return Written(owed, is_new=False)
        _refuse(why_no_review(owed, change, person))
        bound = reviewed.model_copy(update={"digest": owed.digest if owed else ""})
        return _append(session, row, Event(change, person, now, bound))


def follow_up(ledger: Ledger, change: str, followed: FollowedUp, *, person: str, now: datetime) -> Written:
    """Write that a follow-up or a workaround is done, or has another owner or day; return what the change owes then.

    The same run writes it once, however often it is tried.

    Raises:
        LedgerUnknown: there is no such change.
        OperatorError: there is nothing to follow up under this number.
    """
    with ledger.transaction() as session:
        row = locked(session, change)
        owed = owed_in(session, row)
        if owed is not None and _is_written(session, row, followed):
            return Written(owed, is_new=False)
        _refuse(why_no_follow_up(owed, change, followed.about))
        return _append(session, row, Event(change, person, now, followed))


def _refuse(finding: Finding | None) -> None:
    if finding:
        raise OperatorError(f"{finding.sentence}. {finding.remedy}")


def _append(session: Session, row: Change, event: Event) -> Written:
    append(session, event)
    return Written(_known(owed_in(session, row)))


def _known(owed: Aftercare | None) -> Aftercare:
    if owed is None:
        raise AssertionError("what owed something before owes it no more")
    return owed


def _is_written(session: Session, row: Change, wanted: Payload) -> bool:
    """Return whether this run has written its event before."""
    same = select(EventRow).where(EventRow.number == row.number, EventRow.kind == wanted.kind)
    return bool(wanted.run) and any(
        isinstance(event := payload(stored), Payload) and event.run == wanted.run for stored in session.scalars(same)
    )
