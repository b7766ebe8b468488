"""Reads everything that is shown of one change; what somebody has altered is named, and the rest is still read."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any, TypedDict, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from changewindow.changes.card_course import Course, course_of
from changewindow.documents.findings import Finding
from changewindow.errors import AlteredText, BadPolicy, ChangeError
from changewindow.ledger import aftercare
from changewindow.ledger.changes import WAITING
from changewindow.ledger.database import Ledger
from changewindow.ledger.derived import Derived, derived
from changewindow.ledger.events import known
from changewindow.ledger.leases import explain_in
from changewindow.ledger.models import Change, EventRow, Lease, Revision
from changewindow.ledger.records import manual_of
from changewindow.ledger.texts import ticket_data
from changewindow.ledger.verification import Looked, look_at
from changewindow.policy.aftercare import Aftercare
from changewindow.policy.assessment import Assessment
from changewindow.policy.decision import Decision
from changewindow.policy.manual_change import RECORDED, ManualChange
from changewindow.policy.model import Policy
from changewindow.policy.sign_off import RequiredApproval
from changewindow.policy.standing import Mode
from changewindow.ticket import every_field
from changewindow.ticket.model import Ticket
from changewindow.ticket.reader import build_ticket

T = TypeVar("T")
MOST = 2000
"""Lines of which the parts of two texts that differ are compared."""
CONTEXT = 2
"""Lines that are shown around what differs."""


@dataclass(frozen=True)
class Text:
    """One text of a change."""

    digest: str
    at: datetime
    differs: tuple[str, ...] | None
    """From the one before, as the lines of a unified diff; None: there is none before, or it is not compared."""
    why_not: str = ""
    """Why it cannot be read."""


@dataclass(frozen=True)
class ChangeFacts:
    """What is shown of a change."""

    row: Change
    rows: Sequence[EventRow]
    altered: tuple[str, ...]
    """What somebody has altered, a sentence each."""
    known: Derived
    course: Course
    data: Mapping[str, Any] | None
    """Its newest text; None of a record, and of one that cannot be believed."""
    ticket: Ticket | None
    """The same, with the values of the run that acts or has acted last."""
    manual: ManualChange | None
    """What a record tells; None of any other change."""
    texts: tuple[Text, ...]
    """All its texts, oldest first."""
    held: tuple[str, ...]
    """The targets that it holds."""
    owed: Aftercare | None
    decision: Decision | None
    """What its gate would decide now; None where that cannot be asked."""
    needs: tuple[RequiredApproval, ...]
    """Whose approval it needs, as the policy says now."""
    objections: tuple[Finding, ...]
    """What the policy says now against its window and its connections, warnings included; only while it waits."""


@dataclass(frozen=True)
class Asked:
    """What is asked about a change."""

    policy: Policy | BadPolicy
    now: datetime
    mode: Mode = "run"
    texts: int = 4
    """How many of its texts are compared with the one before."""


def facts_of(ledger: Ledger, change: str, asked: Asked) -> ChangeFacts:
    """Return what is shown of a change.

    Raises:
        LedgerUnknown: there is no such change.
        LedgerDown: the ledger does not answer.
    """
    with ledger.reading() as session:
        row = known(session, change)
        looked = look_at(session, row)
        rows, altered = looked.rows, list(looked.altered)
        state = _believed(derived, rows, Derived(status=row.status, requester=row.requester, digest=row.digest))
        course = _believed(course_of, rows, Course("asked", row.submitted_at))
        data = _data(session, row, altered)
        return ChangeFacts(
            row,
            rows,
            tuple(dict.fromkeys(altered)),
            known=state,
            course=course,
            data=data,
            ticket=_ticket(data, course),
            manual=_manual(session, row),
            texts=tuple(_texts(session, row, asked.texts)),
            held=tuple(session.scalars(select(Lease.target).where(Lease.number == row.number).order_by(Lease.target))),
            owed=_owed(session, row, rows),
            decision=_decision(session, row, data, asked, looked=looked),
            **_assessed(row, data, asked.policy),
        )


def _believed(made_of: Callable[[Iterable[EventRow]], T], rows: Iterable[EventRow], otherwise: T) -> T:
    """Return what events make of a change, or what its row says where one of them cannot be read at all."""
    try:
        return made_of(rows)
    except (ValueError, TypeError, AttributeError):
        return otherwise


def _data(session: Session, row: Change, altered: list[str]) -> Mapping[str, Any] | None:
    if row.status == RECORDED:
        return None
    try:
        return ticket_data(session, row, row.digest)
    except AlteredText as error:
        altered.append(str(error))
        return None


def _ticket(data: Mapping[str, Any] | None, course: Course) -> Ticket | None:
    if data is None:
        return None
    try:
        return build_ticket(data, course.values)
    except ValueError:
        return build_ticket(data)  # the values are those of an earlier text


def _manual(session: Session, row: Change) -> ManualChange | None:
    stored = session.get(Revision, (row.number, row.digest)) if row.status == RECORDED else None
    return manual_of(stored.text, stored.digest) if stored else None


def _owed(session: Session, row: Change, rows: Sequence[EventRow]) -> Aftercare | None:
    targets = aftercare.touched(session, row)
    return _believed(lambda events: aftercare.after(row, targets, events), rows, None)


def _decision(
    session: Session, row: Change, data: Mapping[str, Any] | None, asked: Asked, *, looked: Looked
) -> Decision | None:
    if data is None or not (looked.are_checked or asked.mode == "rollback"):
        return None
    try:
        return explain_in(session, row, data, asked.policy, mode=asked.mode, now=asked.now, events=looked.rows)
    except (ChangeError, ValueError):
        return None  # what is altered is named already


class _Assessed(TypedDict):
    needs: tuple[RequiredApproval, ...]
    objections: tuple[Finding, ...]


def _assessed(row: Change, data: Mapping[str, Any] | None, policy: Policy | BadPolicy) -> _Assessed:
    if data is None or isinstance(policy, BadPolicy):
        return {"needs": (), "objections": ()}
    assessment = Assessment(policy, build_ticket(data), data, row.id)
    waits = row.status in WAITING
    objections = (*assessment.objections(row.opens), *assessment.connections) if waits else ()
    return {"needs": assessment.needs, "objections": objections}


def _texts(session: Session, row: Change, compared: int) -> Iterator[Text]:
    """Yield all texts of a change, of which the last ones are compared."""
    of_change = select(Revision.digest, Revision.at).where(Revision.number == row.number).order_by(Revision.at)
    stored = session.execute(of_change).all()
    before: list[str] | None = None
    for place, (digest, at) in enumerate(stored):
        if row.status == RECORDED or len(stored) == 1 or place < len(stored) - compared - 1:
            yield Text(digest, at, None)
            continue
        try:
            lines = every_field.fields(ticket_data(session, row, digest), is_whole=True)
        except AlteredText as error:
            before = None
            yield Text(digest, at, None, str(error))
            continue
        yield Text(digest, at, None if before is None else tuple(differing(before, lines)))
        before = lines


def differing(before: list[str], lines: list[str]) -> Iterator[str]:
    """Yield what differs between two texts, as the lines of a unified diff; in long ones, if that is little.

    To compare long texts takes longer by the square, and keeps everybody else waiting: whoever writes one chooses it.
    """
    start = max(_alike(zip(before, lines, strict=False)) - CONTEXT, 0)
    old, new = before[start:], lines[start:]
    end = max(_alike(zip(reversed(old), reversed(new), strict=False)) - CONTEXT, 0)
    old, new = old[: len(old) - end], new[: len(new) - end]
    if max(len(old), len(new)) > MOST:
        yield f"@@ from line {start + 1} on, {len(old)} lines became {len(new)}: too many to compare here @@"
        return
    for line in list(difflib.unified_diff(old, new, n=CONTEXT, lineterm=""))[2:]:
        yield _moved(line, start) if line.startswith("@@") else line


def _alike(pairs: Iterable[tuple[str, str]]) -> int:
    """Return how many pairs are alike before the first that is not."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _moved(head: str, lines: int) -> str:
    return re.sub("([-+])([0-9]+)", lambda found: f"{found[1]}{int(found[2]) + lines}", head)
