"""Says of the changes that act: which step, how far the watch is, and what a person on call has to know at once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from changewindow.changes.card import CardStep, CardWatch, State
from changewindow.changes.card_of import steps_of
from changewindow.changes.card_watch import shown
from changewindow.changes.known_change import KnownChange
from changewindow.documents.types import duration_text
from changewindow.errors import AlteredRow
from changewindow.ledger import watches
from changewindow.ledger.models import Lease
from changewindow.ledger.watches import Kept

LATE = timedelta(minutes=1)
"""How old the last sample of a watch may be at least, however often it takes them."""
MISSED = 3
"""How many samples may be missing before it is said."""
WATCHED = frozenset({"watching", "waiting"})
"""States in which samples are due."""


@dataclass(frozen=True)
class Acting:
    """A change whose run holds its targets."""

    change: str
    summary: str
    targets: tuple[str, ...]
    owner: str
    on_call: str
    state: State
    since: datetime
    """When it came into this state."""
    started: datetime | None
    closes: datetime
    """The end of its window."""
    steps: tuple[CardStep, ...]
    watch: CardWatch | None
    sampled: datetime | None
    """When the watch took its last sample."""
    reason: str
    """Why it is rolled back, or people are asked."""
    is_emergency: bool = False
    problems: tuple[str, ...] = ()
    """What is wrong, beside that it may be rolled back; a sentence each."""

    @property
    def is_rolled_back(self) -> bool:
        """Return whether its steps are being undone."""
        return self.state == "rolling_back"

    @property
    def step(self) -> CardStep | None:
        """Return the step that is applied or undone now."""
        return next((step for step in self.steps if step.state in {"applying", "undoing"}), None)

    def count(self, state: str) -> int:
        """Return how many of its steps are in a state."""
        return sum(step.state == state for step in self.steps)


def acting(session: Session, known: Iterable[KnownChange], leases: Iterable[Lease], now: datetime) -> list[Acting]:
    """Return the changes that act, those that are rolled back or have a problem first."""
    changes = [change for change in known if change.row.status == "running"]
    newest = watches.newest_of(session, [change.row.number for change in changes])
    of_change: dict[int, list[Lease]] = {}
    for lease in leases:
        of_change.setdefault(lease.number, []).append(lease)
    rows = [
        _acting(change, newest.get(change.row.number), of_change.get(change.row.number, []), now) for change in changes
    ]
    return sorted(rows, key=lambda row: (not row.problems, not row.is_rolled_back, row.since))


def _acting(change: KnownChange, watch: Kept | AlteredRow | None, leases: list[Lease], now: datetime) -> Acting:
    row, ticket, course = change.row, change.ticket, change.course
    kept = watch if isinstance(watch, Kept) and watch.run == course.run else None
    return Acting(
        change=row.id,
        summary=row.summary,
        targets=ticket.targets,
        owner=row.owner,
        on_call=ticket.on_call or "",
        state=course.state,
        since=course.since,
        started=course.started,
        closes=row.closes,
        steps=steps_of(ticket, course),
        watch=shown(kept.progress, ticket.conditions, now) if kept else None,
        sampled=kept.progress.at if kept and kept.progress.samples else None,
        reason=course.reason,
        is_emergency=change.is_declared,
        problems=(*_of_run(change, now), *_of_leases(leases, now), *_of_watch(change, watch, kept, now)),
    )


def _of_run(change: KnownChange, now: datetime) -> Iterator[str]:
    row = change.row
    if row.run is None:
        yield "ORPHANED: its run died, and what it applied may still be there. Housekeeping has it rolled back."
    if row.aborted:
        yield f"{row.aborted}."
    if now > row.closes and change.course.state != "rolling_back":
        yield "EXPIRED: its window has ended, and it still acts. No step is applied any more."
    if failed := [number for number, seen in change.course.steps.items() if seen.state == "undo failed"]:
        yield f"ROLLBACK FAILS: the undo of step {', '.join(map(str, sorted(failed)))} failed."
    asked = change.course.asked
    if change.course.state == "waiting" and asked and now > asked.until:
        yield "Nobody has answered in time; it should be rolled back by now."


def _of_leases(leases: list[Lease], now: datetime) -> Iterator[str]:
    if not leases:
        yield "It holds none of its targets any more, so that another change may act on them."
    for lease in leases:
        if lease.expires_at <= now:
            yield f"EXPIRED: its lease on {lease.target} has run out, and no task of it has renewed it."


def _of_watch(change: KnownChange, watch: Kept | AlteredRow | None, kept: Kept | None, now: datetime) -> Iterator[str]:
    if isinstance(watch, AlteredRow):
        yield f"The progress of its watch is NOT KNOWN: {watch}"
        return
    if change.course.state not in WATCHED or (kept and kept.progress.decided):
        return
    spec = change.ticket.watch
    every = max(spec.every, spec.later or spec.every)
    last = kept.progress.at if kept else change.course.since + spec.settle
    if now - last > max(MISSED * every, LATE):
        age = duration_text(timedelta(seconds=int((now - last).total_seconds())))
        due = duration_text(every)
        yield f"NOT WATCHED: the last sample is {age} old, and one is due every {due}. Whether it is good is not known."
