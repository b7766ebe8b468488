"""Says which targets are held, and which freezes and maintenance windows are in force."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from changewindow.calendar.intervals import Interval
from changewindow.calendar.model import Entry
from changewindow.calendar.occurrences import Timeline
from changewindow.calendar.schedule import Schedule
from changewindow.ledger.models import Lease, identity

MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Held:
    """A target that a change holds."""

    target: str
    change: str
    since: datetime
    until: datetime
    """Past it, nobody can be acting any more."""
    is_expired: bool
    is_acting: bool
    """Whether its change acts: then it is aborted; otherwise a person may release the target."""


@dataclass(frozen=True)
class InForce:
    """A freeze or a maintenance window of the calendar that holds now, or a freeze that begins soon."""

    kind: Literal["freeze", "window"]
    name: str
    title: str
    """What the file or the list of holidays calls it; empty where that says no more than its name."""
    since: datetime
    until: datetime
    environments: tuple[str, ...]
    """Where; empty: everywhere."""
    services: tuple[str, ...]
    """For which services; empty: for all."""
    is_now: bool = True


def held(leases: Iterable[Lease], statuses: Mapping[int, str], now: datetime) -> list[Held]:
    """Return the targets that changes hold, those first that nobody can be acting on; `statuses` are of their changes.

    A change that is not among them is left out.
    """
    rows = [
        Held(
            target=lease.target,
            change=identity(lease.number),
            since=lease.taken_at,
            until=lease.expires_at,
            is_expired=lease.expires_at <= now,
            is_acting=statuses[lease.number] == "running",
        )
        for lease in leases
        if lease.number in statuses
    ]
    return sorted(rows, key=lambda row: (row.is_acting and not row.is_expired, row.target))


def in_force(schedule: Schedule, now: datetime, ahead: timedelta) -> list[InForce]:
    """Return the freezes that hold now or begin within a time ahead, and the maintenance windows that are open now."""
    freezes = [row for line in schedule.freezes for row in _rows("freeze", line, Interval(now, now + ahead))]
    windows = [row for line in schedule.windows for row in _rows("window", line, Interval(now, now + MOMENT))]
    return sorted((*freezes, *windows), key=lambda row: (row.kind, not row.is_now, row.until, row.name))


def _rows(kind: Literal["freeze", "window"], line: Timeline[Entry], span: Interval) -> Iterator[InForce]:
    entry = line.entry
    for occurrence in line.meeting(span):
        yield InForce(
            kind=kind,
            name=entry.name,
            title="" if occurrence.title == entry.name else occurrence.title,
            since=occurrence.span.start,
            until=occurrence.span.end,
            environments=entry.environments,
            services=entry.services,
            is_now=occurrence.span.has(span.start),
        )
