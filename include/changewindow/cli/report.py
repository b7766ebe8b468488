"""The command that reports on emergencies and on what was done by hand, among all changes of a time."""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from changewindow.changes.figure_text import figure_text
from changewindow.changes.owed import minute
from changewindow.cli import report_delivery
from changewindow.cli.ledger_address import ledger
from changewindow.cli.moments import since
from changewindow.cli.output import print_json
from changewindow.cli.policy import policy_now
from changewindow.cli.terminal import fitted
from changewindow.errors import BadPolicy
from changewindow.ledger.population import last_drills, population
from changewindow.policy.emergencies import Emergencies
from changewindow.policy.population import Drill, Population, figures, in_order

FEW = 12
"""How many changes of a figure people are shown; JSON lists all."""
COLUMN = 54
"""The column in which the changes of a figure begin."""


def run(arguments: argparse.Namespace) -> int:
    """Print the figures of a time, each with its changes, the habits, and the last good drill; return 0.

    Of delivery, print what `report_delivery` says.

    JSON has the shape `output.REPORTED`.
    """
    if arguments.about == "delivery":
        return report_delivery.run(arguments)
    now, known, policy = datetime.now(UTC), ledger(arguments), policy_now(arguments)
    rules = Emergencies() if isinstance(policy, BadPolicy) else policy.emergencies
    begin = since(arguments) or now - timedelta(days=90)
    counted = population(known, begin, now, rules)
    good, last = last_drills(known)
    if arguments.json:
        print_json(as_json(counted, good, last, rules))
        return 0
    print(f"Emergencies and what was done by hand, {minute(begin)} to {minute(now)}")
    print(*fitted(lines(counted), indent=COLUMN), sep="\n")
    print(*fitted([f"  {habit.sentence}" for habit in counted.habits]), sep="\n", end="\n" * bool(counted.habits))
    print(*fitted(drill_lines(good, last, rules, now)), sep="\n")
    return 0


def lines(counted: Population) -> Iterator[str]:
    """Yield a line for each figure: what it is, how much, and of which changes; then what they mean."""
    found = figures(counted)
    for figure in found:
        if figure.name == "unreadable" and not figure.changes:
            continue
        shown = ", ".join(figure.changes[:FEW])
        more = len(figure.changes) - FEW
        rest = f" and {more:,} more (--json lists them)" if more > 0 else ""
        yield f"  {figure.text:40} {figure_text(figure.value, figure.unit):>9}  {shown}{rest}".rstrip()
    yield from (f"{figure.text}: {figure.definition}." for figure in found if figure.definition)


def drill_lines(good: Drill | None, last: Drill | None, rules: Emergencies, now: datetime) -> Iterator[str]:
    """Yield what is known of drills, and what to do where that is too little."""
    every = f"{rules.drill_every / timedelta(days=1):g} days"
    if good is None:
        yield "No drill has gone well yet. Name a harmless target under `drill` in emergencies.yaml, and trigger"
        yield f"`emergency_drill`; a good one is expected every {every}."
    else:
        took = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in in_order(good.took))
        stale = f"; STALE after {every}, trigger `emergency_drill`" if good.is_stale(now, rules.drill_every) else ""
        yield f"Last good drill: {good.change}, {minute(good.at)} ({took}){stale}."
    if last is not None and not last.is_good:
        yield f"The last drill went badly: {last.change}, {minute(last.at)}: {last.reason}."


def as_json(counted: Population, good: Drill | None, last: Drill | None, rules: Emergencies) -> dict[str, Any]:
    """Return the figures for programs, in the shape of `output.REPORTED`."""
    return {
        "since": counted.since,
        "until": counted.until,
        "figures": [
            {"name": each.name, "text": each.text, "value": each.value, "unit": each.unit, "changes": each.changes}
            | ({"definition": each.definition} if each.definition else {})
            for each in figures(counted)
        ],
        "habits": [{"target": each.target, "text": each.when, "changes": each.changes} for each in counted.habits],
        "drill": {
            "last_good": _drill_json(good),
            "last": _drill_json(last),
            "is_stale": good is None or good.is_stale(counted.until, rules.drill_every),
        },
    }


def _drill_json(drill: Drill | None) -> dict[str, Any] | None:
    if drill is None:
        return None
    took = [{"name": name, "value": seconds} for name, seconds in in_order(drill.took)]
    return {"change": drill.change, "at": drill.at, "good": drill.is_good, "took": took, "reason": drill.reason}
