"""The report on how changes are delivered: every number beside that of the time before, for the page and for CSV."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from changewindow.documents import csv_text
from changewindow.policy.delivered import Choice, Delivered, Span
from changewindow.policy.delivery_metrics import DORA, OVERRUNS, SUCCESS, Measure, Measured, compared, grouped, measured

HEADINGS = ("of", "name", "metric", "unit", "value", "counted", "out_of", "value_before", "compared", "remark")


@dataclass(frozen=True)
class Compared:
    """A number, and that of the time of the same length before."""

    now: Measured
    before: Measured

    @property
    def word(self) -> str:
        """Return up, down or same; empty where one of the two is missing."""
        return compared(self.now.value, self.before.value)


@dataclass(frozen=True)
class Report:
    """What was delivered in a time, and in the one before."""

    span: Span
    choice: Choice
    zone: tzinfo
    begun: datetime | None
    """When the ledger began; what was before is not known."""
    known: Sequence[Delivered]
    """The deployments of both times, whether they are chosen or not."""
    rows: list[Delivered] = field(init=False)
    rows_before: list[Delivered] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", self.choice.of(self.known, self.span, self.zone))
        object.__setattr__(self, "rows_before", self.choice.of(self.known, self.span.before, self.zone))

    def metrics(self) -> list[Compared]:
        """Return DORA's five metrics."""
        return [self.compared(measure) for measure in DORA]

    def overruns(self) -> list[Compared]:
        """Return how often more time was needed than planned."""
        return [self.compared(measure) for measure in OVERRUNS]

    def compared(self, measure: Measure) -> Compared:
        """Return a number beside the one before."""
        before = measured(measure, self.rows_before, self._known(self.span.before))
        return Compared(self.measured(measure, self.rows), before)

    def measured(self, measure: Measure, rows: Iterable[Delivered]) -> Measured:
        """Return what is measured of some of its deployments."""
        return measured(measure, rows, self._known(self.span))

    def by(self, key: Callable[[Delivered], Iterable[str]], *measures: Measure) -> dict[str, list[Measured]]:
        """Return what is measured of each group of deployments, the largest group first."""
        groups = grouped(self.rows, key)
        return {name: [self.measured(measure, rows) for measure in measures] for name, rows in groups.items()}

    def success_by_hour(self) -> dict[int, list[Measured | None]]:
        """Return the success of each hour of the day in which something began, Monday first; None: nothing did then."""
        cells: dict[tuple[int, int], list[Delivered]] = {}
        for row in self.rows:
            if not row.is_by_hand:
                local = row.began.astimezone(self.zone)
                cells.setdefault((local.hour, local.weekday()), []).append(row)
        return {
            hour: [self._cell(cells.get((hour, day))) for day in range(7)]
            for hour in sorted({hour for hour, _ in cells})
        }

    def _cell(self, rows: list[Delivered] | None) -> Measured | None:
        return self.measured(SUCCESS, rows) if rows else None

    def _known(self, span: Span) -> timedelta | None:
        """Return how much of a time the ledger knows."""
        known = span.after(self.begun)
        return known.length if known else None


def services(row: Delivered) -> tuple[str, ...]:
    """Return the services of a deployment; it counts for each of them."""
    return row.services


def owner(row: Delivered) -> tuple[str]:
    """Return the owner of a deployment."""
    return (row.owner,)


def as_csv(report: Report) -> str:
    """Return the five metrics as CSV (RFC 4180): of all, and of each service and each owner; a dash is no number."""
    return "".join(csv_text.lines([HEADINGS, *_lines(report)]))


def _lines(report: Report) -> Iterator[tuple[str, ...]]:
    for each in (*report.metrics(), *report.overruns()):
        yield ("all", "", *_cells(each.now), _plain(each.before.value), each.word, _remark(each.now))
    for of, key in (("service", services), ("owner", owner)):
        for name, numbers in report.by(key, *DORA).items():
            yield from ((of, name, *_cells(number), "", "", _remark(number)) for number in numbers)


def _cells(number: Measured) -> tuple[str, ...]:
    counts = (str(len(number.part)), str(len(number.whole)))
    return (number.measure.name, number.measure.unit, _plain(number.value), *counts)


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def _remark(number: Measured) -> str:
    return number.why or ("few changes" if number.is_small else "")
