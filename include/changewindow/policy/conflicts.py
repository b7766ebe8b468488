"""Finds changes that overlap with a change: on its targets, on what they depend on, or in its people."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from changewindow.documents.findings import Finding
from changewindow.policy.service_catalogue import Catalogue
from changewindow.policy.sign_off import same_person
from changewindow.ticket.model import Ticket

Kind = Literal["target", "dependent", "people"]
CODE = "no_overlap"
"""The check that says so when a change is asked for; the gate says it again under the same id."""
HOLDING = {"running", "rollback_failed"}
"""Statuses in which what a change touches is, or may be, half changed."""


@dataclass(frozen=True)
class Other:
    """What has to be known about a change to see whether another one overlaps with it."""

    change: str
    targets: tuple[str, ...]
    opens: datetime
    closes: datetime
    owner: str
    reviewer: str
    status: str

    @property
    def holds(self) -> bool:
        """Return whether its targets are held, because it acts or could not be rolled back."""
        return self.status in HOLDING

    @property
    def people(self) -> tuple[str, str]:
        """Return who takes part."""
        return (self.owner, self.reviewer)


@dataclass(frozen=True)
class Overlap:
    """Another change that overlaps with this one: in what, and what the policy says about it."""

    other: Other
    kind: Kind
    shared: tuple[str, ...]
    """What is the same, or connected: targets, `orders needs database`, or persons."""
    finding: Finding
    """An error where the policy refuses the change because of it; otherwise a warning."""


def of_ticket(change: str, ticket: Ticket) -> Other:
    """Return what has to be known about a ticket; `change` is empty before it has an id."""
    opens, closes = ticket.window.opens, ticket.window.closes
    people = {"owner": ticket.owner, "reviewer": ticket.reviewer}
    return Other(change, ticket.targets, opens, closes, status="submitted", **people)


def overlaps(catalogue: Catalogue, mine: Other, others: Iterable[Other]) -> list[Overlap]:
    """Return what the policy says about other changes: one overlap for each change and kind.

    Their windows overlap. A change that could not be rolled back overlaps with every change, since nobody knows how
    long it will hold its targets; outside its window that is only a warning.
    """
    met: list[Overlap] = []
    for other in others:
        if other.opens < mine.closes and mine.opens < other.closes:
            met += collisions(catalogue, mine, [other])
        elif "rollback_failed" in (mine.status, other.status):
            met += [_as_held(overlap) for overlap in collisions(catalogue, mine, [other]) if overlap.kind != "people"]
    return met


def collisions(catalogue: Catalogue, mine: Other, acting: Iterable[Other]) -> list[Overlap]:
    """Return what the policy says about other changes that act now, whatever their windows say."""
    others = (other for other in acting if other.change != mine.change)
    return [overlap for other in others for overlap in _between(catalogue, mine, other)]


def _between(catalogue: Catalogue, mine: Other, other: Other) -> Iterator[Overlap]:
    people = (person for person in mine.people if any(same_person(person, their) for their in other.people))
    met: dict[Kind, tuple[str, ...]] = {
        "target": tuple(sorted(set(mine.targets) & set(other.targets))),
        "dependent": _connections(catalogue, mine, other),
        "people": tuple(dict.fromkeys(people)),
    }
    for kind, shared in met.items():
        rule = getattr(catalogue.overlap, kind)
        if shared and rule != "allow":
            sentence, remedy = _sentence(kind, shared, other), _remedy(kind, mine, other)
            place = (_field(kind, shared, mine),)
            yield Overlap(other, kind, shared, Finding(CODE, sentence, remedy, place, is_warning=rule == "warn"))


def _connections(catalogue: Catalogue, mine: Other, other: Other) -> tuple[str, ...]:
    """Return which targets of one change need which of the other."""
    sides = (mine.targets, other.targets), (other.targets, mine.targets)
    pairs = {
        (target, needed)
        for these, those in sides
        for target in these
        for needed in catalogue.dependencies(target) & {*those}
    }
    return tuple(f"{target} needs {needed}" for target, needed in sorted(pairs))


def _field(kind: Kind, shared: tuple[str, ...], mine: Other) -> str:
    """Return the field of the ticket that has to be changed."""
    if kind != "people":
        return "window"
    return "owner" if mine.owner in shared else "reviewer"


def _sentence(kind: Kind, shared: tuple[str, ...], other: Other) -> str:
    when = _when(other)
    if kind == "target":
        return f"{other.change} touches {_all(shared)} too, {when}"
    if kind == "people":
        return f"{_all(shared)} {'takes' if len(shared) == 1 else 'take'} part in {other.change} too, {when}"
    return f"{other.change} touches {_all(other.targets)}, {when}, and {_all(shared)}"


def _remedy(kind: Kind, mine: Other, other: Other) -> str:
    if kind == "people":
        return "Name somebody else, or move one of the two."
    if same_person(mine.owner, other.owner):
        return "Move one of the two."
    return f"Move one of the two, or talk to its owner {other.owner}."


def _as_held(overlap: Overlap) -> Overlap:
    """Return the overlap with a change that could not be rolled back, at another time than its own."""
    other = overlap.other
    connected = f", and {_all(overlap.shared)}" if overlap.kind == "dependent" else ""
    sentence = f"{other.change} may still hold {_all(other.targets)}{connected}"
    remedy = f"See that it is settled before the window opens; its owner is {other.owner}."
    return replace(overlap, finding=replace(overlap.finding, sentence=sentence, remedy=remedy, is_warning=True))


def _when(other: Other) -> str:
    """Return a window in UTC, as people write it."""
    opens, closes = other.opens.astimezone(UTC), other.closes.astimezone(UTC)
    last = f"{closes:%H:%M}" if opens.date() == closes.date() else f"{closes:%Y-%m-%d %H:%M}"
    return f"{opens:%Y-%m-%d %H:%M}-{last} UTC"


def _all(names: tuple[str, ...]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
