"""Finds what is too much in a new ticket, before anything looks at it more closely.

One ticket must not keep others waiting, nor its approver from reading it. What was approved before there were limits
goes on.
"""

from collections.abc import Iterator, Mapping
from itertools import accumulate
from math import prod
from typing import Any

from changewindow.documents.findings import Finding, Place

STEPS = 100
CONDITIONS = 100
CONFIRMED = 100
SILENCES = 20
SERVICES = 500
COMBINATIONS = 1000
LISTS: tuple[tuple[Place, int, str, str], ...] = (
    (("services",), SERVICES, "services", "Write one ticket for each part of them."),
    (("steps",), STEPS, "steps", "Write several tickets, or one step that starts a program for the rest."),
    (("preflight", "confirmed"), CONFIRMED, "items to confirm", "Nobody reads so many: let machines check."),
    (("silence",), SILENCES, "silences", "Write fewer, with wider matchers, or several tickets."),
)
CONDITIONS_AT: tuple[Place, ...] = (
    ("preflight", "checks"),
    ("watch", "conditions"),
    ("validation",),
    ("rollback", "verify"),
)


def excess(data: Any) -> Iterator[Finding]:
    """Find every list of a ticket's data that is longer than one ticket may have."""
    for place, most, what, remedy in LISTS:
        count = _length(data, place)
        if count > most:
            yield _too_many(f"{count:,} {what}, {most} are allowed", remedy, place)
    counts = [_length(data, place) for place in CONDITIONS_AT]
    if sum(counts) > CONDITIONS:
        first = next(number for number, total in enumerate(accumulate(counts)) if total > CONDITIONS)
        sentence = f"{sum(counts):,} conditions with those of the other lists, {CONDITIONS} are allowed"
        yield _too_many(sentence, "Let a source count or sum, and judge that.", CONDITIONS_AT[first])
    yield from _combinations(data)


def _combinations(data: Any) -> Iterator[Finding]:
    declared = data.get("parameters") if isinstance(data, Mapping) else None
    values = declared.values() if isinstance(declared, Mapping) else ()
    choices = [_length(parameter, ("allowed",)) or 1 for parameter in values]
    if prod(choices) > COMBINATIONS:
        sentence = f"the parameters' values make {prod(choices):.7g} combinations, {COMBINATIONS:,} are allowed"
        yield _too_many(sentence, "Each of them would be approved: allow fewer values.", ("parameters",))


def _length(data: Any, place: Place) -> int:
    """Return how long the list at a place is; what is no list is none."""
    for name in place:
        data = data.get(name) if isinstance(data, Mapping) else None
    return len(data) if isinstance(data, list) else 0


def _too_many(sentence: str, remedy: str, place: Place) -> Finding:
    return Finding("limits", sentence, remedy, place)
