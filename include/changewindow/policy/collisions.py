"""Finds which of many changes collide: at once on one target, or on targets of which one needs the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from changewindow.policy.conflicts import HOLDING, Other, Overlap, overlaps
from changewindow.policy.service_catalogue import Catalogue
from changewindow.policy.standing import WAITING

COUNTS = {*WAITING, *HOLDING}
"""Statuses in which a change may still meet another one; what is over collides with nothing."""


@dataclass(frozen=True)
class _Claim:
    """A change on one target that it touches, or needs."""

    other: Other
    is_own: bool


def colliding(catalogue: Catalogue, changes: Sequence[Other]) -> dict[str, list[Overlap]]:
    """Return what the policy says about each change that collides with others of these, by its id.

    Only those are compared that meet in time on a target, so that many changes cost little.
    """
    counting = {other.change: other for other in changes if other.status in COUNTS}
    met: dict[str, set[str]] = {}
    for first, second in _meetings(catalogue, list(counting.values())):
        met.setdefault(first, set()).add(second)
        met.setdefault(second, set()).add(first)
    said = {
        name: overlaps(catalogue, counting[name], [counting[other] for other in sorted(others)])
        for name, others in met.items()
    }
    targets = {name: [overlap for overlap in every if overlap.kind != "people"] for name, every in said.items()}
    return {name: every for name, every in targets.items() if every}


def _meetings(catalogue: Catalogue, changes: list[Other]) -> Iterator[tuple[str, str]]:
    """Yield the pairs that meet on a target, which at least one of the two touches."""
    needed: dict[str, frozenset[str]] = {}
    claims: dict[str, list[_Claim]] = {}
    for other in sorted(changes, key=lambda change: change.opens):
        for target in other.targets:
            claims.setdefault(target, []).append(_Claim(other, is_own=True))
            needed[target] = needed.get(target) or catalogue.dependencies(target)
        for target in {name for own in other.targets for name in needed[own]} - set(other.targets):
            claims.setdefault(target, []).append(_Claim(other, is_own=False))
    for same in claims.values():
        yield from _overlapping(same)


def _overlapping(claims: list[_Claim]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of one target that overlap; the claims come in the order in which they begin."""
    still: list[_Claim] = []
    for claim in claims:
        still = [earlier for earlier in still if earlier.other.closes > claim.other.opens]
        for earlier in still:
            if earlier.is_own or claim.is_own:
                yield earlier.other.change, claim.other.change
        still.append(claim)
