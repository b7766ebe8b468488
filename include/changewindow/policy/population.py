"""Counts emergencies, and what was done without asking, among all changes; each figure names the changes behind it.

The **phantom share** is the share of the changes of the world that nobody asked for beforehand, as a change or at least
in an incident: what was done by hand and recorded, emergencies without an open incident, and silent changes that no
record explains; out of all that are known. Drills are none of them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Literal

from changewindow.policy.aftercare import Aftercare
from changewindow.policy.habits import Habit

PHANTOMS = (
    "changes of the world that nobody asked for beforehand (records, emergencies without an open incident, and silent "
    "changes that no record explains), out of all that are known; drills are not counted"
)
Unit = Literal["changes", "share", "seconds"]


@dataclass(frozen=True)
class Population:
    """What changed in a time, as far as it is known."""

    since: datetime
    until: datetime
    started: tuple[str, ...] = ()
    """The changes that passed their gate, emergencies and drills included."""
    records: tuple[str, ...] = ()
    """What was done by hand."""
    silent: tuple[str, ...] = ()
    """The silent changes that no record explains."""
    owing: tuple[Aftercare, ...] = ()
    """What owes something, or has owed it."""
    unreadable: tuple[str, ...] = ()
    """The changes whose record was altered: what they are is not known."""
    habits: tuple[Habit, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A number, and the changes behind it."""

    name: str
    text: str
    """What it is, for people."""
    changes: tuple[str, ...]
    unit: Unit = "changes"
    value: float | None = None
    """None: there is nothing to measure."""
    definition: str = ""


def figures(known: Population) -> list[Figure]:
    """Return the figures, in the order in which they are read."""
    return [*_of_all(known), *_of_approvals(known), *_of_what_is_left(known)]


def _of_all(known: Population) -> Iterator[Figure]:
    drills = {owed.change for owed in known.owing if owed.is_drill}
    emergencies = _those(known, lambda owed: owed.because == "emergency" and owed.has_acted)
    asked_nobody = _those(known, lambda owed: owed.because == "emergency" and owed.has_acted and not owed.incident)
    everything = tuple(
        dict.fromkeys(change for change in (*known.started, *emergencies, *known.records) if change not in drills)
    )
    everything += known.silent
    phantoms = (*known.records, *asked_nobody, *known.silent)
    yield _count("acted", "changes of the world that are known", everything)
    yield _count("emergencies", "emergencies", emergencies)
    yield _share("emergency_share", "share of emergencies", emergencies, everything)
    yield _count("without_incident", "emergencies without an open incident", asked_nobody)
    yield _count("records", "done by hand and recorded", known.records)
    yield _count("silent", "silent changes that no record explains", known.silent)
    yield _share("phantom_share", "phantom share", phantoms, everything, definition=PHANTOMS)


def _of_approvals(known: Population) -> Iterator[Figure]:
    took = {
        owed.change: owed.decision.at - owed.began
        for owed in _real(known)
        if owed.decision and owed.approval(known.until) in {"approved", "late"}
    }
    middle = median(length.total_seconds() for length in took.values()) if took else None
    yield Figure("median_to_approval", "median time to retroactive approval", tuple(took), "seconds", middle)
    texts = {
        "approved": "approved afterwards, in time",
        "owed": "retroactive approval is owed",
        "overdue": "retroactive approval is overdue",
        "late": "approved, but late",
        "refused": "not approved afterwards",
    }
    for state, text in texts.items():
        in_state = tuple(owed.change for owed in _real(known) if owed.approval(known.until) == state)
        yield _count(f"approval_{state}", text, in_state)


def _of_what_is_left(known: Population) -> Iterator[Figure]:
    now = known.until
    reviews = {
        "reviewed": ("reviewed", lambda owed: owed.reviewed_at is not None),
        "review_owed": (
            "review is owed",
            lambda owed: owed.review_due and not owed.reviewed_at and not owed.is_review_overdue(now),
        ),
        "review_overdue": ("review is overdue", lambda owed: owed.is_review_overdue(now)),
        "workaround_overdue": (
            "workaround is still there",
            lambda owed: owed.workaround_until is not None and owed.workaround_until < now,
        ),
        "follow_up_left": ("follow-up is late, or has no owner", lambda owed: _has_left(owed, now)),
    }
    for name, (text, is_so) in reviews.items():
        yield _count(name, text, _those(known, is_so))
    of_habits = dict.fromkeys(change for habit in known.habits for change in habit.changes)
    yield _count("habits", "emergencies that are a habit", tuple(of_habits))
    yield _count("unreadable", "not known: record cannot be verified", known.unreadable)


def _has_left(owed: Aftercare, now: datetime) -> bool:
    """Return whether something that was to be done after its review is late, or nobody's."""
    return any(not each.is_done and (not each.owner or (each.due and each.due < now)) for each in owed.follow_ups)


def _real(known: Population) -> Iterator[Aftercare]:
    return (owed for owed in known.owing if not owed.is_drill)


def _those(known: Population, is_so: Callable[[Aftercare], object]) -> tuple[str, ...]:
    return tuple(owed.change for owed in _real(known) if is_so(owed))


def _count(name: str, text: str, changes: Iterable[str]) -> Figure:
    listed = tuple(changes)
    return Figure(name, text, listed, value=len(listed))


def _share(name: str, text: str, part: tuple[str, ...], whole: tuple[str, ...], *, definition: str = "") -> Figure:
    share = len(part) / len(whole) if whole else None
    return Figure(name, text, part, "share", share, definition)


@dataclass(frozen=True)
class Drill:
    """A drill of an emergency that came to its end."""

    change: str
    at: datetime
    is_good: bool
    took: dict[str, float]
    reason: str = ""

    def is_stale(self, now: datetime, every: timedelta) -> bool:
        """Return whether it is so old that the next one is overdue."""
        return now - self.at > every


def in_order(took: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return the parts of a drill in the order in which they came to their end."""
    return sorted(took.items(), key=lambda part: part[1])
