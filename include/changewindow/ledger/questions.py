"""The question whether an applied change is kept: whether it is open, and its first answer, which alone counts."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from changewindow.errors import ApprovalRefused
from changewindow.ledger.chain import checked_events
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.events import Event, append, locked, payload, recorded
from changewindow.ledger.models import Change
from changewindow.ledger.payloads import Answered, Asked, Payload, Unknown
from changewindow.policy.sign_off import same_person

ASKER = "watch"
"""The task that asks."""
OVER = (EventKind.WATCHED, EventKind.DECIDED, EventKind.UNDOING, EventKind.CLOSED)
"""Events after which nobody is asked any more."""


def answer(ledger: Ledger, change: str, given: Answered, *, actor: str, now: datetime) -> Answered:
    """Record an answer to the question of a run, unless there is one already; return the one that counts.

    Raises:
        LedgerDown, BrokenChain: it is not recorded.
    """
    with ledger.transaction() as session:
        row = locked(session, change)
        first = _first(given.run, (payload(event) for event in checked_events(session, row)))
        if first is None:
            append(session, Event(change, actor, now, given))
        return first or given


def answer_in(session: Session, row: Change, person: str, chosen: str, *, now: datetime) -> None:
    """Record a person's answer to the open question, inside the caller's transaction.

    Raises:
        ApprovalRefused: it is not open, or somebody else is asked.
        BrokenChain: the record was altered.
    """
    question, answered = None, None
    for event in checked_events(session, row):
        content = payload(event)
        if isinstance(content, Asked) and content.run == row.run:
            question, answered = content, None
        elif isinstance(content, Answered) and content.run == row.run:
            answered = content
        elif event.kind in OVER:
            question = None
    if answered is not None:
        raise ApprovalRefused(f"{answered.by} has answered already: {', '.join(answered.answer)}.")
    if question is None or row.status != "running" or row.aborted:
        raise ApprovalRefused("nobody is asked any more whether it is kept; its message says where it stands.")
    if now >= question.until:
        raise ApprovalRefused(f"the answer was due by {question.until:%H:%M:%S} UTC; it is being rolled back.")
    if not any(same_person(person, other) for other in question.people):
        raise ApprovalRefused(f"{', '.join(question.people)} are asked whether it is kept, and {person} is not.")
    given = Answered(run=question.run, by=person, answer=(chosen,))
    append(session, Event(row.id, f"{question.run}/{ASKER}", now, given))


def answers(ledger: Ledger, change: str, run: str) -> Answered | None:
    """Return the answer that counts to the newest question of a run; nothing while there is none.

    Raises:
        LedgerDown, BrokenChain: nobody can say.
    """
    return _first(run, recorded(ledger, change, Asked, Answered))


def _first(run: str, contents: Iterable[Payload | Unknown]) -> Answered | None:
    """Return the first answer to the last question of a run."""
    first = None
    for content in contents:
        if isinstance(content, Asked) and content.run == run:
            first = None
        if isinstance(content, Answered) and content.run == run:
            first = first or content
    return first
