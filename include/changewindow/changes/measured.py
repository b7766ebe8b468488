"""Gathers what was measured of each condition of a change, as rows to draw and to read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median
from typing import Any, TypeVar

from changewindow.changes.event_lines import content, readings_of
from changewindow.documents.canonical import canonical
from changewindow.documents.text import spoken
from changewindow.ledger import payloads
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.models import EventRow
from changewindow.watch.comparison import Comparison, amount, plain
from changewindow.watch.condition import Condition

T = TypeVar("T")
MEASURED = frozenset({EventKind.CHECKED, EventKind.READ, EventKind.WATCHED, EventKind.VERIFIED, EventKind.NOT_VERIFIED})
"""The events that carry readings."""
WORST_FIRST = ("fail", "error", "inconclusive")
EVENTS = 800
"""Events whose readings are looked at; of more, the worst of each stretch are."""
LAST = 10
"""The newest ones, which are shown whatever they are."""
MOST = 900
"""Readings that are shown of all conditions together."""
LEAST = 30
"""Readings that are shown of each condition, if it has so many."""
BADNESS = {"pass": 0, "inconclusive": 1, "error": 2, "fail": 3}
SAME = {"difference": 0.0, "ratio": 1.0, "rank": 0.0}
"""What each comparison with a baseline yields when nothing has changed."""
LONGEST = 200
"""Characters that are shown of what is said about a reading."""


@dataclass(frozen=True)
class Point:
    """One reading."""

    at: datetime
    verdict: str
    """The answer: pass, fail, inconclusive or error."""
    value: float | None
    """The number to draw; None: there is none, or it counts for nothing, and a gap is drawn."""
    text: str
    """The value with its unit, or the cause for having none."""
    detail: str
    """What is said about it, such as its limit."""


@dataclass(frozen=True)
class Limit:
    """A number that values are held against."""

    word: str
    value: float


@dataclass(frozen=True)
class Measured:
    """The readings of one condition, oldest first."""

    title: str
    unit: str
    points: tuple[Point, ...]
    taken: int
    """How many there are; of more than can be shown, the worst of each stretch are."""
    limits: tuple[Limit, ...] = ()
    rule: str = ""
    """What is good and what is bad, as text."""
    baseline: str = ""
    """What it is compared with, as text; empty where nothing was read before the change."""
    same: float | None = None
    """The number that means no difference from the baseline; None where nothing is compared."""

    @property
    def is_drawn(self) -> bool:
        """Return whether there is a number to draw."""
        return any(point.value is not None for point in self.points)

    @property
    def lines(self) -> list[tuple[str, float]]:
        """Return the numbers that are drawn as lines, each with what it is."""
        same = [] if self.same is None else [("as before", self.same)]
        return [(limit.word, limit.value) for limit in self.limits] + same

    @property
    def left_out(self) -> int:
        """Return how many readings are not shown."""
        return self.taken - len(self.points)


_Taken = tuple[dict[str, Any], datetime]
"""A reading as it is stored, and when its event was written."""


def measured(rows: Sequence[EventRow], conditions: Sequence[Condition]) -> list[Measured]:
    """Return what was measured, in the order of the conditions; those of no condition of the text come last."""
    found: dict[str, list[_Taken]] = {condition.title: [] for condition in conditions}
    events = [row for row in rows if row.kind in MEASURED]
    for row in _chosen(events):
        for reading in readings_of(row):
            found.setdefault(str(reading.get("condition", "")), []).append((reading, row.at))
    known, before = {condition.title: condition for condition in conditions}, _baselines(rows)
    shown = {title: _without_twins(taken) for title, taken in found.items() if taken}
    most = max(MOST // len(shown), LEAST) if shown else 0
    every = [_measured(title, taken, known.get(title), most=most) for title, taken in shown.items()]
    every = [replace(each, baseline=_baseline(known.get(each.title), before)) for each in every]
    return every if len(events) <= EVENTS else [replace(each, taken=_count(each.title, events)) for each in every]


def _chosen(events: Sequence[EventRow]) -> Iterator[EventRow]:
    """Yield the events to look at: all, or of thousands the first and the worst of each stretch, and the last."""
    earlier = events[:-LAST] if len(events) > EVENTS else []
    length = -(-len(earlier) * 2 // EVENTS)
    for stretch in _stretches(earlier, length):
        yield stretch[0]
        if (worst := max(stretch, key=_badness)) is not stretch[0]:
            yield worst
    yield from events[len(earlier) :]


def _stretches(every: Sequence[T], length: int) -> Iterator[Sequence[T]]:
    return (every[place : place + length] for place in range(0, len(every), max(length, 1)))


def _badness(row: EventRow) -> tuple[int, ...]:
    return tuple(row.data.count(f'"verdict":"{verdict}"') for verdict in WORST_FIRST)


def _count(title: str, events: Iterable[EventRow]) -> int:
    """Return how many readings a condition has, without reading all of them; as `event_lines` counts verdicts."""
    named = f'"condition":{canonical(title)}'
    return sum(row.data.count(named) for row in events)


def _measured(title: str, taken: Sequence[_Taken], condition: Condition | None, *, most: int) -> Measured:
    points = tuple(sorted((_point(*each) for each in _thinned(taken, most)), key=lambda point: point.at))
    unit = next((str(reading["unit"]) for reading, _ in taken if reading.get("unit")), "")
    if condition is None:
        return Measured(title, unit, points, len(taken))
    return Measured(
        title,
        condition.unit_of_value or unit,
        points,
        len(taken),
        tuple(_limits(condition)),
        condition.limits(),
        same=SAME[condition.compare.by] if condition.compare else None,
    )


def _point(reading: dict[str, Any], otherwise: datetime) -> Point:
    verdict, value = str(reading.get("verdict", "")), reading.get("value")
    is_number = _number(reading) is not None
    unit = str(reading["unit"]) if reading.get("unit") else None
    shown = amount(f"{value:.6g}", unit) if is_number else str(value)
    cause = spoken(str(reading.get("cause") or ""))
    text = f"{cause} ({shown})" if cause and value is not None else cause if value is None else shown
    counts = is_number and verdict != "error"
    detail = str(reading.get("says") or "")
    return Point(_moment(reading, otherwise), verdict, float(str(value)) if counts else None, text, detail[:LONGEST])


def _moment(reading: dict[str, Any], otherwise: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(str(reading.get("at")))
    except ValueError:
        return otherwise
    return at if at.tzinfo else otherwise


def _without_twins(taken: Sequence[_Taken]) -> list[_Taken]:
    """Return the readings without those that stand in two events, as the last sample of a watch does."""
    once = {
        (reading.get("at"), str(reading.get("value")), reading.get("verdict")): (reading, at) for reading, at in taken
    }
    return list(once.values())


def _thinned(taken: Sequence[_Taken], most: int) -> Iterator[_Taken]:
    """Yield about so many readings: of each stretch the lowest, the highest and the worst, and the last."""
    earlier = taken[:-LAST] if len(taken) > most else []
    for stretch in _stretches(earlier, -(-len(earlier) * 3 // most)):
        numbers = [each for each in stretch if _number(each[0]) is not None]
        kept = [max(stretch, key=lambda each: BADNESS.get(str(each[0].get("verdict")), 2))]
        kept += [pick(numbers, key=lambda each: _number(each[0]) or 0.0) for pick in (min, max) if numbers]
        yield from {id(each): each for each in kept}.values()
    yield from taken[len(earlier) :]


def _number(reading: dict[str, Any]) -> float | None:
    value = reading.get("value")
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _limits(condition: Condition) -> Iterator[Limit]:
    for word, comparison in (("good", condition.good), ("bad", condition.bad)):
        for how, value in _numbers(comparison) if comparison else ():
            yield Limit(f"{word} {how} {amount(plain(value), condition.unit_of_value)}", float(value))


def _numbers(comparison: Comparison) -> Iterator[tuple[str, float]]:
    for how in ("above", "below"):
        if (value := getattr(comparison, how)) is not None:
            yield how, value
    for how, value in zip(("from", "to"), comparison.between or (), strict=False):
        yield how, value
    if isinstance(comparison.equals, int | float) and not isinstance(comparison.equals, bool):
        yield "at", comparison.equals


def _baselines(rows: Iterable[EventRow]) -> dict[str, list[float]]:
    """Return the values from before the change, by the name of their condition; the newest run's count."""
    before: dict[str, list[float]] = {}
    for row in rows:
        if row.kind == EventKind.BASELINE and isinstance(event := content(row), payloads.Baseline):
            before |= event.before
    return before


def _baseline(condition: Condition | None, before: Mapping[str, Sequence[float]]) -> str:
    """Return what was read before the change, as text."""
    values = condition and (before.get(condition.title) or before.get(condition.name))
    if not condition or not values or condition.compare is None:
        return ""
    return f"{len(values)} readings from before the change, median {amount(f'{median(values):.6g}', condition.unit)}"
