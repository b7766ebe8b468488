"""What our own changes did in a span of time, as the ledger has it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from changewindow.changes.announced import NAMING, NEW, Values, forward, places, under, words
from changewindow.changes.event_text import sentence, who
from changewindow.documents.parameters import fill
from changewindow.ledger import changes, events, queries, records, search
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.models import Change, EventRow
from changewindow.ledger.payloads import Applied, Closed, Remembered, Started, Undoing, Undone
from changewindow.ledger.records import Kept
from changewindow.policy.manual_change import NOT_APPROVED, RECORDED
from changewindow.systems.collection import Collected, Coverage, Entry, Span
from changewindow.systems.place import Place

MOST = 300
"""Changes that are looked at, the newest."""
NOTICED = timedelta(minutes=30)
"""How long after it was done something may only be noticed."""
UNDO = "undo"
"""The field of a step that says what is done to undo it."""
SHOWN = (
    *(EventKind.STARTED, EventKind.REMEMBERED, EventKind.APPLIED, EventKind.UNDOING, EventKind.UNDO_FAILED),
    *(EventKind.UNDONE, EventKind.CLOSED),
)
"""Events that are, or may be, changes of the world; and how it ended."""


@dataclass(frozen=True)
class Act:
    """A step of a change that has begun, with all that it has announced."""

    change: str
    number: int
    name: str
    began: datetime
    announced: Mapping[str, Any]
    """The step as it was approved, with the values that were chosen."""
    remembered: Mapping[str, Any]
    """What its undo needs: how it was before."""
    place: Place | None = None
    """Where it acts, if that is one place and was written down."""
    undoing: datetime | None = None
    """When its undo began."""
    applied: datetime | None = None
    """When its apply had ended; None where nobody knows that it had."""
    undone: datetime | None = None
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    """Those of the collectors' fingerprints: what is shown so is compared so."""

    @property
    def times(self) -> tuple[tuple[datetime, datetime | None], ...]:
        """Return from when to when it was being applied, and undone."""
        applied = (self.began, self.applied or self.undoing)
        return (applied, (self.undoing, self.undone)) if self.undoing else (applied,)

    @cached_property
    def new(self) -> Values:
        """Return the values of how the step makes it: as it was approved, and as it was found that it would be."""
        return Values([forward(self.announced), under(self.remembered, NEW)], self.keys)

    @cached_property
    def former(self) -> Values:
        """Return the values of how it was before, and of what its undo does."""
        return Values([self.remembered, self.announced.get(UNDO)], self.keys)

    @cached_property
    def places(self) -> frozenset[str]:
        """Return the names that stand in the step, and of what it found that it would touch."""
        return places(words(self.announced) | words(under(self.remembered, NAMING)))


@dataclass(frozen=True)
class OurChange:
    """A change that has touched the world, or is doing so."""

    id: str
    summary: str
    environment: str
    services: tuple[str, ...]
    acts: tuple[Act, ...]
    ended: datetime | None
    rests: tuple[Span, ...] = ()
    """Between its end and a later run that rolled it back."""

    @cached_property
    def began(self) -> datetime:
        """Return when its first step began."""
        return min(act.began for act in self.acts)

    def acted_between(self, since: datetime, until: datetime, margin: timedelta) -> bool:
        """Return whether it was acting at some time of a span, give or take what clocks may differ."""
        was_resting = any(rest.since + margin < since and until < rest.until - margin for rest in self.rests)
        is_within = self.began - margin <= until and (self.ended is None or since <= self.ended + margin)
        return is_within and not was_resting


@dataclass(frozen=True)
class Record:
    """What the ledger has of a span: the changes that acted, and what they did."""

    changes: tuple[OurChange, ...]
    collected: Collected
    by_hand: tuple[Kept, ...] = ()
    """What was done by hand and told afterwards; nobody has approved it."""


def record(ledger: Ledger, span: Span, keys: tuple[bytes, ...] = ()) -> Record:
    """Return which of our changes acted in a span, and each thing they did; the keys are those of fingerprints.

    Raises:
        AlteredText: what was approved is not what stands in the ledger.
    """
    recent = [found.change for found in search.find(ledger, search.Wanted(since=span.since), limit=MOST + 1)]
    acting = [row for row in queries.with_status(ledger, "running") if row.number not in {c.number for c in recent}]
    told = records.since(ledger, span.since - NOTICED)
    ours, entries = [], [_told_entry(kept, span) for kept in told]
    for change in (row for row in (*recent[:MOST], *acting) if row.status != RECORDED):
        history = events.history(ledger, change.id)
        made = _our_change(change, changes.revision(ledger, change.id), history, keys)
        entries += _entries(change, made.services, history)
        if made.acts:
            ours.append(made)
    coverage = _coverage(ledger, span, is_cut=len(recent) > MOST)
    return Record(tuple(ours), Collected(tuple(entries), coverage), tuple(told))


def told_as(kept: Kept) -> str:
    """Return what is said of a record wherever it explains something."""
    return f"recorded by {kept.person} ({NOT_APPROVED})"


def _told_entry(kept: Kept, span: Span) -> Entry:
    manual = kept.manual
    what = f"{told_as(kept)}: done by hand, {manual.span}: {manual.why}"
    lines = "\n".join(command.line for command in manual.commands)
    return Entry(
        max(manual.began, min(span.since, manual.ended)),
        kept.change,
        what,
        after=lines,
        by=manual.done_by,
        known_by=f"told by {kept.person}",
        services=manual.services,
    )


def _coverage(ledger: Ledger, span: Span, *, is_cut: bool) -> Coverage:
    """Return that everything is known since the first change was asked for."""
    first = queries.begun(ledger)
    since = max(first, span.since) if first else span.until
    begun = f"the ledger begins {first:%Y-%m-%d %H:%M} UTC" if first else "the ledger has no change yet"
    reasons = [begun] if since > span.since else []
    if is_cut:
        reasons.append(f"only the newest {MOST} changes are looked at; ask for less time")
    return Coverage(since, span.until, clock_off=timedelta(0), why="; ".join(reasons))


def _our_change(
    change: Change, ticket: dict[str, Any], history: Sequence[EventRow], keys: tuple[bytes, ...]
) -> OurChange:
    acts: dict[int, Act] = {}
    steps, ended, rests = list[Any](), None, list[Span]()
    for row in history:
        payload = events.payload(row)
        if isinstance(payload, Started):
            steps = fill(ticket, payload.values).get("steps") or []
            rests += [Span(ended, row.at)] if ended else []
            ended = None
        elif isinstance(payload, Closed):
            ended = row.at
        elif isinstance(payload, Remembered):
            begun = _begun(change, payload, row.at, steps or fill(ticket, {}).get("steps") or [])
            acts[payload.step] = replace(begun, keys=keys)
        elif isinstance(payload, Applied | Undoing | Undone) and payload.step in acts:
            acts[payload.step] = _gone_on(acts[payload.step], payload, row.at)
    return OurChange(
        change.id,
        change.summary,
        str(ticket.get("environment", "")),
        tuple(ticket.get("services", ())),
        tuple(acts.values()),
        change.closed_at,
        tuple(rests),
    )


def _begun(change: Change, payload: Remembered, at: datetime, steps: Sequence[Any]) -> Act:
    announced = steps[payload.step - 1] if payload.step <= len(steps) else {}
    remembered = payload.remembered
    act = Act(change.id, payload.step, payload.name, began=at, announced=announced, remembered=remembered)
    return replace(act, place=payload.place)


def _gone_on(act: Act, payload: Applied | Undoing | Undone, at: datetime) -> Act:
    if isinstance(payload, Undoing):
        return replace(act, undoing=act.undoing or at)
    return replace(act, applied=at) if isinstance(payload, Applied) else replace(act, undone=at)


def _entries(change: Change, services: tuple[str, ...], history: Sequence[EventRow]) -> Iterator[Entry]:
    for row in history:
        if row.kind in SHOWN:
            payload = events.payload(row)
            after = payload.restored if isinstance(payload, Undone) else ""
            what = f"{change.summary.removesuffix('.')}: {who(row)} {sentence(payload)}"
            by = f"{change.requester}, approved as {change.id}"
            yield Entry(row.at, change.id, what, after=after, by=by, known_by="the ledger", services=services)
