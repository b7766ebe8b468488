"""The command that reports how changes are delivered: DORA's five metrics, and overruns, each with its changes."""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from changewindow.changes.delivery_report import Compared, Report
from changewindow.changes.figure_text import figure_text
from changewindow.changes.owed import minute
from changewindow.cli.ledger_address import ledger
from changewindow.cli.moments import since
from changewindow.cli.output import print_json
from changewindow.cli.terminal import fitted
from changewindow.ledger import queries
from changewindow.ledger.activity import activity
from changewindow.policy.delivered import Choice, Span


def run(arguments: argparse.Namespace) -> int:
    """Print the numbers of a time beside those of the time before, and what each counts; return 0.

    JSON has the shape `output.DELIVERED`.
    """
    now, known = datetime.now(UTC), ledger(arguments)
    span = Span(since(arguments) or now - timedelta(days=90), now)
    choice = Choice(arguments.service, arguments.environment, arguments.owner)
    rows = activity(known, span.before.since, now).delivered
    report = Report(span, choice, UTC, queries.begun(known), rows)
    if arguments.json:
        print_json(as_json(report))
        return 0
    print(f"How changes were delivered, {minute(span.since)} to {minute(now)}")
    print(*fitted(lines(report), indent=2), sep="\n")
    return 0


def lines(report: Report) -> Iterator[str]:
    """Yield a line for each number: what it is, how much, of how many, and how it was before; then what they count."""
    numbers = [*report.metrics(), *report.overruns()]
    for number in numbers:
        now = number.now
        counts = f"{len(now.part)} of {len(now.whole)}{', few' if now.is_small else ''}"
        said = f"{now.why} ({counts})" if now.why and now.whole else now.why or counts
        yield f"  {now.measure.text:38} {figure_text(now.value, now.measure.unit):>13}  {said}; {_before(number)}"
    yield from (f"{number.now.measure.text}: {number.now.measure.definition}" for number in numbers)


def as_json(report: Report) -> dict[str, Any]:
    """Return the numbers for programs, in the shape of `output.DELIVERED`."""
    return {
        "since": report.span.since,
        "until": report.span.until,
        "metrics": [_number(number) for number in (*report.metrics(), *report.overruns())],
    }


def _number(number: Compared) -> dict[str, Any]:
    now = number.now
    return {
        "name": now.measure.name,
        "text": now.measure.text,
        "unit": now.measure.unit,
        "value": now.value,
        "changes": [row.change for row in now.part],
        "out_of": [row.change for row in now.whole],
        "why": now.why,
        "before": number.before.value,
        "definition": now.measure.definition,
    }


def _before(number: Compared) -> str:
    before = number.before
    if before.value is None:
        return f"before: - ({before.why})"
    return f"before: {figure_text(before.value, before.measure.unit)}"
