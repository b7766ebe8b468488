"""Makes the card of a change from the ledger: its sealed events say where it stands, its text what it is about."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from changewindow.changes import messages, owed
from changewindow.changes.bare_cards import of_altered, of_record
from changewindow.changes.card import Card, CardEmergency, CardEnding, CardStep, State
from changewindow.changes.card_course import Course, StepSeen, course_of
from changewindow.changes.card_watch import watch_of
from changewindow.changes.waiting import NEXT, waits_for
from changewindow.errors import AlteredText, BadPolicy, BrokenChain, UnknownSealKey
from changewindow.ledger.chain import checked_events
from changewindow.ledger.changes import get
from changewindow.ledger.database import Ledger
from changewindow.ledger.derived import Derived, derived
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.events import known
from changewindow.ledger.models import Change, EventRow
from changewindow.ledger.records import manual_change
from changewindow.ledger.standing import standing_of
from changewindow.ledger.texts import ticket_data
from changewindow.policy.approval_rules import next_approval
from changewindow.policy.assessment import Assessment
from changewindow.policy.manual_change import RECORDED, NoTicket
from changewindow.policy.model import Policy
from changewindow.policy.standing import Case, Intent
from changewindow.ticket.model import Ticket
from changewindow.ticket.reader import build_ticket
from changewindow.watch.comparison import amount

NO_STATION = frozenset(
    {
        EventKind.READ,
        EventKind.CLICKED,
        EventKind.MESSAGE_SENT,
        EventKind.MESSAGE_FAILED,
        EventKind.MARKER_SENT,
        EventKind.MARKER_FAILED,
        EventKind.REMINDED,
    }
)
"""Events that say nothing of where a change stands: the head that a card names is not moved by what is said of it."""
WAITING = frozenset({"asked", "scheduled", "refused", "missed", "rollback_failed"})
"""States in which a change waits for people or for its time."""
OPEN = frozenset({"asked", "scheduled", "starting", "running", "watching", "waiting", "rolling_back"})


@dataclass(frozen=True)
class _Read:
    """What the ledger has of a change, at one moment."""

    row: Change
    rows: Sequence[EventRow]
    known: Derived
    course: Course
    data: Mapping[str, Any]
    """The newest text; nothing of a record."""

    @property
    def ticket(self) -> Ticket:
        """Return its ticket, with the values of the run that acts or has acted last."""
        return build_ticket(self.data, self.course.values)


def card_of(
    ledger: Ledger, change: str, policy: Policy | BadPolicy, now: datetime, *, links: Mapping[str, str]
) -> Card:
    """Return where a change stands; `altered` where somebody has written into its record, of which nothing is believed.

    Raises:
        LedgerUnknown: there is no such change.
        LedgerDown: the ledger does not answer, or nothing can be checked here.
        UnknownSealKey: it may be this process that lacks a key.
    """
    try:
        read = _read(ledger, change)
        if read.course.state == "recorded":
            card = of_record(read.row, read.rows[-1], manual_change(ledger, change), read.course.since)
        else:
            card = _of_ticket(ledger, read, policy, now)
    except UnknownSealKey:
        raise  # it may be ours that is missing: what stands there stays, and whoever mends the key is told
    except (BrokenChain, AlteredText, NoTicket) as error:
        return replace(of_altered(get(ledger, change), str(error), now), links=links)
    return replace(card, links=links, owes=tuple(owed.of_change(ledger, change, now)))


def _read(ledger: Ledger, change: str) -> _Read:
    with ledger.reading() as session:
        row = known(session, change)
        rows = checked_events(session, row)
        if not rows:
            raise BrokenChain(change, 1, "is missing")
        so_far, course = derived(rows), course_of(rows)
        data = {} if so_far.status == RECORDED else ticket_data(session, row, so_far.digest)
        return _Read(row, rows, so_far, course, data)


def _of_ticket(ledger: Ledger, read: _Read, policy: Policy | BadPolicy, now: datetime) -> Card:
    ticket, course, change = read.ticket, read.course, read.row.id
    state = _state(course, ticket)
    card = Card(
        change=change,
        state=state,
        digest=read.known.digest,
        sequence=read.rows[-1].sequence,
        since=course.since,
        **_about(read, ticket),
        steps=steps_of(ticket, course),
        rollback=messages.rollback_text(ticket).removeprefix("Rollback: "),
        approvals=course.approvals,
        reason=course.reason,
        ending=None if state in OPEN else _ending(read, ticket),
        emergency=_emergency(course),
        is_drill=course.declared is not None and course.declared.is_drill,
    )
    if state in WAITING:
        waits = tuple(_waits(ledger, read, policy, max(now, card.opens)))
        asks = _asks(ledger, read, policy, now) if state == "asked" else ()
        until = card.closes - ticket.needs if state == "asked" else None
        return replace(card, waits_for=waits, asks=asks, until=until)
    if state == "waiting" and course.asked:
        card = replace(card, asks=course.asked.people, until=course.asked.until)
    if state in {"watching", "waiting", "rolling_back"}:
        return replace(card, watch=watch_of(ledger, change, course.run, ticket.conditions, now=now))
    return card


def _waits(ledger: Ledger, read: _Read, policy: Policy | BadPolicy, at: datetime) -> Iterator[str]:
    """Yield what stands against a change once its window is open: that it is not open yet, its message says itself."""
    for line in waits_for(ledger, read.row, policy, at):
        if line != NEXT:
            yield f"it {line}" if line.startswith("waits for") else line.removeprefix("waits: ")


def _state(course: Course, ticket: Ticket) -> State:
    """Return where a change is; what was read before its window, as a dry run does, has begun nothing."""
    if course.state == "starting" and course.declared is None and course.since < ticket.window.opens:
        return course.rest
    return course.state


def _about(read: _Read, ticket: Ticket) -> dict[str, Any]:
    window, closes = ticket.window, read.known.closes
    return {
        "summary": ticket.summary,
        "environment": ticket.environment,
        "services": ticket.services,
        "targets": ticket.targets,
        "opens": window.opens,
        "closes": closes or window.closes,
        "zone": window.zone,
        "requester": read.known.requester,
        "owner": ticket.owner,
        "reviewer": ticket.reviewer,
        "on_call": ticket.on_call or "",
        "risk": ticket.risk,
        "type": ticket.type,
    }


def steps_of(ticket: Ticket, course: Course) -> tuple[CardStep, ...]:
    """Return the steps of a change, each with how far it is."""
    unseen = StepSeen("to come")
    return tuple(
        CardStep(number, step.name, step.does(), step.undoes(), seen.state, seen.back_to)
        for number, step in enumerate(ticket.steps, 1)
        for seen in (course.steps.get(number, unseen),)
    )


def _emergency(course: Course) -> CardEmergency | None:
    event = course.declared
    if event is None:
        return None
    incident = (course.incident.incident if course.incident else "") or event.incident
    named = (event.broken, incident, event.commander, event.executor, event.agreed_at, event.agreed_how)
    return CardEmergency(*named, unwatched_because=event.unwatched_because)


def _ending(read: _Read, ticket: Ticket) -> CardEnding:
    course, stations = read.course, [row for row in read.rows if row.kind not in NO_STATION]
    names = {number: step.name for number, step in enumerate(ticket.steps, 1)}
    back_to = {names.get(number, ""): seen.back_to for number, seen in sorted(course.steps.items()) if seen.back_to}
    is_good = course.state == "completed"
    return CardEnding(
        reason=course.reason,
        started=course.started,
        ended=course.since,
        undone=course.undone,
        restored=course.restored if course.state == "rolled_back" else None,
        back_to=tuple(f"'{name}': {value}" for name, value in back_to.items()),
        validated=_validated(course, ticket) if is_good else (),
        follow_up=ticket.post_change.follow_up if is_good else (),
        is_by_hand=course.is_by_hand,
        head=stations[-1].hash,
        may_start=course.since + ticket.needs < (read.known.closes or ticket.window.closes),
    )


def _validated(course: Course, ticket: Ticket) -> tuple[str, ...]:
    """Return what was good, each with its last value where it is known: `p99 latency 148 ms, limit 200 ms`."""
    last = {str(reading.get("condition")): reading for reading in course.readings}
    return tuple(
        f"{condition.title}{_value(last.get(condition.title, {}))}"
        for condition in ticket.conditions
        if condition.decides
    )


def _value(reading: Mapping[str, Any]) -> str:
    value, limit = reading.get("value"), str(reading.get("says") or "")
    if value is None:
        return ""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    text = amount(f"{value:.4g}", reading.get("unit")) if number else str(value)
    return f" {text}, {limit}" if limit else f" {text}"


def _asks(ledger: Ledger, read: _Read, policy: Policy | BadPolicy, now: datetime) -> tuple[str, ...]:
    """Return who is asked for the next approval, as far as the policy names persons."""
    if isinstance(policy, BadPolicy):
        return ()
    ticket, row = build_ticket(read.data), read.row
    intent = Intent("", read.known.digest, row.opens, row.closes, ticket.needs)
    assessment = Assessment(policy, ticket, read.data, row.id)
    with ledger.reading() as session:
        standing = standing_of(session, known(session, row.id))
    pending = next_approval(Case(standing, intent, assessment, now))
    return pending.people if pending else ()
