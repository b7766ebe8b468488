"""What a calendar shows: changes and what they collide with, windows and freezes, and when a change may run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from changewindow.calendar.intervals import Interval
from changewindow.calendar.marked import Marked, marked
from changewindow.calendar.openings import Opening, openings
from changewindow.calendar.scope import Scope
from changewindow.ledger.database import Ledger
from changewindow.ledger.planned import Planned, Wanted, planned
from changewindow.policy.collisions import colliding
from changewindow.policy.model import Policy

MOST = 300
"""Changes that a calendar shows at once; whoever wants others narrows it."""
SAID = 3
"""Collisions that are told of each change."""
NEXT = 10
"""Openings that are listed with why it is closed before them."""
ENVIRONMENT = "production"
"""Where a service is looked at if nobody says where, as on the command line."""


@dataclass(frozen=True)
class Agenda:
    """What an interval holds."""

    changes: tuple[Planned, ...]
    is_cut: bool
    """Whether there are more changes than are shown."""
    collisions: Mapping[str, tuple[str, ...]]
    """What the policy says of the changes that collide, by id: one sentence for each."""
    marks: tuple[Marked, ...]
    free: tuple[Interval, ...]
    """When a change of the wanted service may run, from now on; none where no service is named."""


def agenda(
    ledger: Ledger,
    policy: Policy | None,
    within: Interval,
    wanted: Wanted,
    *,
    numbers: frozenset[int] | None,
    now: datetime,
) -> Agenda:
    """Return what an interval holds, of changes only those with these numbers; None means every change.

    Without a policy there are no windows, freezes, collisions and openings: it is not known which there are.

    Raises:
        LedgerDown: the ledger does not answer.
    """
    found = planned(ledger, within, wanted, numbers=numbers, limit=MOST + 1)
    changes = tuple(found[:MOST])
    if policy is None:
        return Agenda(changes, len(found) > MOST, {}, (), ())
    met = colliding(policy.catalogue, [change.other for change in changes])
    sentences = {
        name: shortened([overlap.finding.sentence for overlap in overlapping]) for name, overlapping in met.items()
    }
    marks = marked(policy.schedule, within, environment=wanted.environment, service=wanted.service)
    return Agenda(changes, len(found) > MOST, sentences, tuple(marks), _free(policy, within, wanted, now))


def shortened(sentences: list[str]) -> tuple[str, ...]:
    """Return the first collisions of a change, and how many more there are."""
    more = len(sentences) - SAID
    return (*sentences[:SAID], *([f"and {more} more"] if more > 0 else []))


def next_openings(policy: Policy, wanted: Wanted, after: datetime) -> list[Opening]:
    """Return the next openings of the wanted service, as `changewindow calendar next` does."""
    return list(islice(openings(policy.schedule, scope_of(wanted), after), NEXT)) if wanted.service else []


def scope_of(wanted: Wanted) -> Scope:
    """Return what a normal change of the wanted service asks the calendar about."""
    return Scope(wanted.environment or ENVIRONMENT, (wanted.service,), "normal")


def _free(policy: Policy, within: Interval, wanted: Wanted, now: datetime) -> tuple[Interval, ...]:
    ahead = Interval(max(within.start, now), within.end)
    if not wanted.service or ahead.is_empty:
        return ()
    return tuple(policy.schedule.free_times(scope_of(wanted), ahead))
