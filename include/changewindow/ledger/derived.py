"""Says what the events of a change make of it: its state, its text, who may not approve it, who has, and what it holds.

The rows beside the events say the same, faster; where they differ, somebody has written them past our functions.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce

from changewindow.ledger import payloads
from changewindow.ledger.events import payload
from changewindow.ledger.models import EventRow
from changewindow.ledger.payloads import Payload, Unknown
from changewindow.policy.manual_change import RECORDED

TELLING = frozenset(
    payload.kind
    for payload in (
        *(payloads.Submitted, payloads.Revised, payloads.Recorded, payloads.ApprovalDecided, payloads.Approved),
        *(payloads.Rejected, payloads.Cancelled, payloads.Declared, payloads.Started, payloads.Extended),
        *(payloads.Aborted, payloads.RunDied, payloads.Released, payloads.Closed),
    )
)
"""The events that say something of it."""


@dataclass(frozen=True)
class Decided:
    """A person's yes or no to a text."""

    person: str
    digest: str
    level: str
    is_yes: bool
    at: datetime
    expires: datetime | None
    """None: a version before 0.2 recorded it, and only the row says how long it counts."""


@dataclass(frozen=True)
class Derived:
    """A change as its events say."""

    requester: str = ""
    is_proven: bool = True
    """Whether it is known that they are."""
    status: str = ""
    digest: str = ""
    run: str | None = None
    token: int | None = None
    """The fencing token of its newest leases."""
    closes: datetime | None = None
    """The end of its window after an extension; None: its text says it."""
    aborted: str | None = None
    reason: str = ""
    """Why it ended as it did."""
    closed_at: datetime | None = None
    held: frozenset[str] = frozenset()
    """The targets that it holds."""
    started: tuple[str, ...] = ()
    """Every text with which it passed the gate."""
    texts: Mapping[str, datetime] = field(default_factory=dict)
    """Every text that it ever had, and since when."""
    origin: str | None = None
    knows_origin: bool = False
    """Whether its events say where its ticket came from; those of versions before 0.2.1 do not."""
    submitted_at: datetime | None = None
    holder: str = ""
    """The run that took its newest leases."""
    taken_at: datetime | None = None
    """When it took them."""
    decided: tuple[Decided, ...] = ()
    declared: Mapping[str, str] = field(default_factory=dict)
    """The texts that were declared to be emergencies, each with a sentence of who agreed."""


def derived(rows: Iterable[EventRow]) -> Derived:
    """Return what events make of a change, oldest first."""
    # Readings and messages say nothing of it, and a watch leaves thousands.
    return reduce(_after, (row for row in rows if row.kind in TELLING), Derived())


def _after(known: Derived, row: EventRow) -> Derived:
    """Return the change after an event."""
    event = payload(row)
    if isinstance(event, Unknown):
        return known
    if isinstance(event, payloads.Submitted | payloads.Revised):
        return _with_text(known, row, event)
    if isinstance(event, payloads.Recorded):
        told = replace(known, requester=row.actor, status=RECORDED, digest=event.digest, texts={event.digest: row.at})
        return replace(told, submitted_at=row.at, closed_at=row.at, origin=event.origin, knows_origin=True)
    if isinstance(event, payloads.ApprovalDecided):
        level, is_yes = event.level, event.yes
        decided = Decided(row.actor, event.digest, level, is_yes, at=row.at, expires=event.expires)
        return replace(known, decided=(*known.decided, decided))
    if isinstance(event, payloads.Declared):
        return replace(known, declared={**known.declared, event.digest: _agreed(row, event)})
    if isinstance(event, payloads.Started):
        held, token = frozenset(event.targets), event.token
        acting = replace(_ended(known, "running"), holder=event.run, taken_at=row.at)
        started = (*known.started, event.digest)
        return replace(acting, run=event.run, token=token, held=held, started=started, aborted=None)
    if isinstance(event, payloads.Closed):
        held = known.held if event.outcome == "rollback_failed" else frozenset()
        run = None if row.actor == "housekeeping" else row.actor
        return replace(_ended(known, event.outcome, event.reason, row.at), run=run, held=held, aborted=None)
    return _after_a_person(known, row, event)


def _agreed(row: EventRow, event: payloads.Declared) -> str:
    return (
        f"declared an emergency by {row.actor}; {event.commander} agreed {event.agreed_at:%Y-%m-%d %H:%M} UTC "
        f"({event.agreed_how}), and its approval is owed by {event.due:%Y-%m-%d %H:%M} UTC"
    )


def _with_text(known: Derived, row: EventRow, event: payloads.Submitted | payloads.Revised) -> Derived:
    texts = {event.digest: row.at, **known.texts}
    changed = replace(_ended(known, "submitted"), run=None, closes=None, digest=event.digest, texts=texts)
    if isinstance(event, payloads.Submitted):
        knows = "origin" in event.model_fields_set
        changed = replace(changed, submitted_at=row.at, origin=event.origin, knows_origin=knows)
    if isinstance(event, payloads.Revised) and event.keeps_approvals:
        carried = [replace(decided, digest=event.digest) for decided in known.decided if decided.digest == event.before]
        return replace(changed, decided=(*known.decided, *carried))
    return replace(changed, requester=row.actor, is_proven=event.is_proven)


def _after_a_person(known: Derived, row: EventRow, event: Payload) -> Derived:
    if isinstance(event, payloads.Approved):
        return replace(known, status="approved")
    if isinstance(event, payloads.Rejected):
        return _ended(known, "rejected", event.by(row.actor), row.at)
    if isinstance(event, payloads.Cancelled):
        return _ended(known, "cancelled", f"cancelled by {row.actor}: {event.reason}", row.at)
    if isinstance(event, payloads.Aborted):
        was_running = event.was == "running"
        aborted = f"aborted by {row.actor}: {event.reason}"
        return replace(known, aborted=aborted) if was_running else _ended(known, "cancelled", aborted, row.at)
    if isinstance(event, payloads.Extended):
        return replace(known, closes=event.later)
    if isinstance(event, payloads.Released):
        return replace(known, held=known.held - {event.target})
    return replace(known, run=None) if isinstance(event, payloads.RunDied) else known


def _ended(known: Derived, status: str, reason: str = "", at: datetime | None = None) -> Derived:
    """Return the change in another state, with why it has ended and when, if it has."""
    return replace(known, status=status, reason=reason, closed_at=at)
