"""Compares the rows of a change with what its events say, and names each difference."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from changewindow.documents.canonical import canonical
from changewindow.ledger.derived import Decided, Derived
from changewindow.ledger.models import Approval, Change, EventRow, Lease, Revision, Stop, Touched
from changewindow.ledger.records import manual_of
from changewindow.ledger.stops import line_values, stops_of
from changewindow.policy.manual_change import RECORDED, ManualChange
from changewindow.policy.sign_off import RecordedApproval
from changewindow.ticket.model import Ticket
from changewindow.ticket.reader import build_ticket
from changewindow.ticket.revision import digest_of


@dataclass(frozen=True)
class NewestText:
    """What the rows of a change repeat of its newest text, be it a ticket or a record."""

    opens: datetime
    closes: datetime
    summary: str
    owner: str
    reviewer: str
    type: str
    risk: str
    targets: tuple[str, ...]


YES_OR_NO = {True: "yes", False: "no"}


def approvals_of(session: Session, change: Change) -> list[Approval]:
    """Return the rows of approvals of a change, oldest first."""
    return list(session.scalars(select(Approval).where(Approval.number == change.number).order_by(Approval.id)))


def recorded_approvals(known: Derived, rows: Sequence[Approval]) -> tuple[RecordedApproval, ...]:
    """Return what people have said, as the events have it; rows say only how long it counts, where no event does."""
    until = {_key(row): row.expires_at for row in rows}
    return tuple(
        RecordedApproval(
            decided.person,
            decided.digest,
            decided.is_yes,
            decided.expires or until.get(_key(decided), decided.at),
            decided.level,
        )
        for decided in known.decided
    )


def altered_state(change: Change, known: Derived, approvals: Sequence[Approval]) -> Iterator[str]:
    """Say what of a change and of its approvals is not as its events say."""
    for name in ("status", "requester", "digest", "run", "aborted"):
        row, event = getattr(change, name), getattr(known, name)
        if row != event:
            yield f"its {name} is {_shown(row)}, and its events say {_shown(event)}"
    if known.closes is not None and change.closes != known.closes:
        yield f"its window ends {_minute(change.closes)}, and its events say {_minute(known.closes)}"
    said, kept = {_key(decided): decided for decided in known.decided}, {_key(row): row for row in approvals}
    for key, row in kept.items():
        word = f"the {YES_OR_NO[row.is_yes]} of {row.person} to the text {row.digest[:12]}…"
        if key not in said:
            yield f"{word} has no event: somebody has inserted or altered it"
        elif (until := said[key].expires) is not None and until != row.expires_at:
            yield f"{word} counts until {_minute(row.expires_at)}, and its event says {_minute(until)}"
    for key, decided in said.items():
        if key not in kept:
            word = f"the {YES_OR_NO[decided.is_yes]} of {decided.person} to the text {decided.digest[:12]}…"
            yield f"{word} has an event and no row: somebody has deleted it"


def newest_text(session: Session, change: Change, known: Derived) -> NewestText | None:
    """Return what a change's newest text says; None where it is missing, or has another digest now."""
    row = session.get(Revision, (change.number, known.digest))
    if known.status == RECORDED:
        manual = manual_of(row.text, row.digest) if row else None
        return _of_manual(manual) if manual else None
    ticket = _ticket(row)
    if ticket is None:
        return None
    window, repeated = ticket.window, (ticket.summary, ticket.owner, ticket.reviewer, ticket.type, ticket.risk)
    return NewestText(window.opens, window.closes, *repeated, targets=ticket.targets)


def _of_manual(manual: ManualChange) -> NewestText:
    repeated = (manual.summary, manual.done_by, "", "", "")
    return NewestText(manual.began, manual.ended, *repeated, targets=manual.targets)


def altered_window(change: Change, known: Derived, text: NewestText | None) -> Iterator[str]:
    """Say what of the window of a change is not as its newest text says, and an extension."""
    if text is None:
        yield f"its text {known.digest[:12]}… is missing, or has another digest now: somebody has altered it"
        return
    closes = known.closes or text.closes
    if (change.opens, change.closes) != (text.opens, closes):
        yield (
            f"its window is {change.opens:%Y-%m-%d %H:%M} to {change.closes:%Y-%m-%d %H:%M} UTC, and its events say "
            f"{text.opens:%Y-%m-%d %H:%M} to {closes:%Y-%m-%d %H:%M} UTC"
        )


def altered_display(change: Change, known: Derived, text: NewestText | None) -> Iterator[str]:
    """Say what a change shows of its end and its text in lists and messages, and is not so; nothing acts by it."""
    for name in ("reason", "closed_at", "token", "submitted_at", *(("origin",) if known.knows_origin else ())):
        row, event = getattr(change, name), getattr(known, name)
        if row != event:
            yield f"its {name} is {_shown(row)}, and its events say {_shown(event)}"
    if text is None:
        return
    for name in ("summary", "owner", "reviewer", "type", "risk"):
        row, written = getattr(change, name), getattr(text, name)
        if row != written:
            yield f"its {name} is {_shown(row)}, and its text says {_shown(written)}"


def altered_holds(session: Session, change: Change, known: Derived) -> Iterator[str]:
    """Say which leases of a change are not as its events say."""
    leases = {lease.target: lease for lease in session.scalars(select(Lease).where(Lease.number == change.number))}
    for target, lease in sorted(leases.items()):
        is_known = (lease.token, lease.run, lease.taken_at) == (known.token, known.holder, known.taken_at)
        if target not in known.held or not is_known:
            yield f"its lease on {target} has no event: somebody has inserted or altered it"
    for target in sorted(known.held - set(leases)):
        yield f"its lease on {target} is missing: somebody has deleted it"


def altered_targets(session: Session, change: Change, text: NewestText | None) -> Iterator[str]:
    """Say whether the targets by which conflicts are found are not those of the newest text."""
    targets = set(session.scalars(select(Touched.target).where(Touched.number == change.number)))
    if text is not None and targets != set(text.targets):
        said = ", ".join(sorted(text.targets))
        yield f"it touches {', '.join(sorted(targets)) or 'nothing'}, and its text says {said}"


def altered_texts(session: Session, change: Change, known: Derived) -> Iterator[str]:
    """Say which texts of a change are not those that were submitted; of the newest, `altered_window` says it."""
    rows = {row.digest: row for row in session.scalars(select(Revision).where(Revision.number == change.number))}
    for digest, row in sorted(rows.items()):
        if digest not in known.texts:
            yield f"its text {digest[:12]}… has no event: somebody has inserted it"
        elif row.at != known.texts[digest]:
            yield f"its text {digest[:12]}… is of {row.at}, and its events say {known.texts[digest]}"
        elif digest != known.digest and _ticket(row) is None:
            yield f"its text {digest[:12]}… has another digest now: somebody has altered it"
    for digest in sorted(set(known.texts) - set(rows) - {known.digest}):
        yield f"its text {digest[:12]}… is missing: somebody has deleted it"


def altered_line(line: Change, rows: Sequence[EventRow], stops: Sequence[Stop]) -> Iterator[str]:
    """Say what of the line's row, and of the rows of its stops, is not as its events say."""
    for name, value in line_values(rows[0].at if rows else line.submitted_at).items():
        if getattr(line, name) != value:
            yield f"its {name} is {_shown(getattr(line, name))}, and was {_shown(value)}"
    recorded = {stopped.id: asdict(stopped) for stopped in stops_of(rows)}
    for row in stops:
        word = f"the stop {row.id} of {row.person}"
        if row.id not in recorded:
            yield f"{word} has no event: somebody has inserted it"
        else:
            differing = [name for name, value in recorded[row.id].items() if getattr(row, name) != value]
            yield from (f"{word}: its {name} is not as its event says" for name in differing)
    for number in sorted(set(recorded) - {row.id for row in stops}):
        yield f"the stop {number} has an event and no row: somebody has deleted it"


def _ticket(row: Revision | None) -> Ticket | None:
    """Return the ticket of a text; None where it is missing, or not the one with this digest."""
    if row is None:
        return None
    try:
        data = json.loads(row.text)
        ticket = build_ticket(data)
        return ticket if digest_of(data, ticket) == row.digest and canonical(data) == row.text else None
    except (ValueError, AttributeError, TypeError):
        return None


def _key(said: Decided | Approval) -> tuple[object, ...]:
    level = said.role if isinstance(said, Approval) else said.level
    return said.person, said.digest, level, said.is_yes, said.at


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _shown(value: object) -> str:
    return "not set" if value is None else f"'{value}'"
