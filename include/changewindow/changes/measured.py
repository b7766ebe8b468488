"""Gathers what was measured of each condition of a change, as rows to draw and to read."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any

from changewindow.changes.event_lines import Readings, content
from changewindow.ledger import payloads
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.models import EventRow
from changewindow.watch.comparison import Comparison, amount, plain
from changewindow.watch.condition import Condition

MEASURED = frozenset({EventKind.CHECKED, EventKind.READ, EventKind.WATCHED, EventKind.VERIFIED, EventKind.NOT_VERIFIED})
"""The events that carry readings."""
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
    """How many there are; of more than are shown, the lowest, the highest and the worst of each stretch are."""
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


@dataclass(frozen=True)
class Mark:
    """A moment to draw beside readings."""

    at: datetime
    text: str


@dataclass
class _Found:
    points: list[Point] = field(default_factory=list)
    unit: str = ""


def measured(
    rows: Iterable[EventRow], conditions: Sequence[Condition], readings: Callable[[EventRow], Readings]
) -> list[Measured]:
    """Return what was measured, in the order of the conditions; those of no condition of the text come last."""
    found: dict[str, _Found] = {condition.title: _Found() for condition in conditions}
    for row in (row for row in rows if row.kind in MEASURED):
        for reading in readings(row):
            of_title = found.setdefault(str(reading.get("condition", "")), _Found())
            of_title.points.append(_point(reading, row.at))
            of_title.unit = of_title.unit or str(reading.get("unit") or "")
    taken = {title: each for title, each in found.items() if each.points}
    most = max(MOST // len(taken), LEAST) if taken else 0
    before, known = _baselines(rows), {condition.title: condition for condition in conditions}
    return [_measured(title, each, known.get(title), before, most=most) for title, each in taken.items()]


def marks(rows: Iterable[EventRow]) -> Iterator[Mark]:
    """Yield the moments of each step, of the verdict, and of the end, as far as they were not those of a dry run."""
    for row in rows:
        if row.kind in MARKS and not getattr(event := content(row), "is_dry", False):
            text = MARKS[row.kind](event) if not isinstance(event, payloads.Unknown) else ""
            if text:
                yield Mark(row.at, text)


MARKS: Mapping[str, Callable[[Any], str]] = {
    EventKind.REMEMBERED: lambda event: f"step {event.step} begins",
    EventKind.APPLIED: lambda event: f"step {event.step} applied",
    EventKind.WATCHED: lambda event: f"verdict {event.verdict}",
    EventKind.UNDOING: lambda event: f"undo of step {event.step} begins",
    EventKind.UNDONE: lambda event: f"step {event.step} undone",
    EventKind.UNDO_FAILED: lambda event: f"undo of step {event.step} failed",
    EventKind.CLOSED: lambda event: str(event.outcome).replace("_", " "),
}


def _measured(
    title: str, found: _Found, condition: Condition | None, before: dict[str, list[float]], *, most: int
) -> Measured:
    points = tuple(_thinned(_without_twins(found.points), most))
    taken = sum(1 for _ in _without_twins(found.points))
    if condition is None:
        return Measured(title, found.unit, points, taken)
    values = before.get(condition.title) or before.get(condition.name) or []
    return Measured(
        title,
        condition.unit_of_value or found.unit,
        points,
        taken,
        tuple(_limits(condition)),
        condition.limits(),
        _baseline(condition, values),
        SAME[condition.compare.by] if condition.compare else None,
    )


def _point(reading: dict[str, Any], otherwise: datetime) -> Point:
    verdict, value = str(reading.get("verdict", "")), reading.get("value")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    unit = str(reading["unit"]) if reading.get("unit") else None
    shown = amount(f"{value:.6g}", unit) if is_number else str(value)
    cause = str(reading.get("cause") or "").replace("_", " ")
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


def _without_twins(points: Sequence[Point]) -> Iterator[Point]:
    """Yield the readings in order of time; the last sample of a watch stands in two events."""
    before = None
    for point in sorted(points, key=lambda point: point.at):
        if before is None or (point.at, point.text, point.verdict) != (before.at, before.text, before.verdict):
            yield point
        before = point


def _thinned(points: Iterable[Point], most: int) -> Iterator[Point]:
    """Yield at most so many readings: of each stretch the lowest, the highest and the worst."""
    every = list(points)
    if len(every) <= most:
        yield from every
        return
    length = -(-len(every) * 3 // most)
    for stretch in (every[place : place + length] for place in range(0, len(every), length)):
        numbers = [point for point in stretch if point.value is not None]
        kept = {id(max(stretch, key=lambda point: BADNESS.get(point.verdict, 2)))}
        if numbers:
            kept |= {id(pick(numbers, key=lambda point: point.value or 0.0)) for pick in (min, max)}
        yield from (point for point in stretch if id(point) in kept)


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


def _baseline(condition: Condition, values: Sequence[float]) -> str:
    """Return what was read before the change, as text."""
    if not values or condition.compare is None:
        return ""
    return f"{len(values)} readings from before the change, median {amount(f'{median(values):.6g}', condition.unit)}"
