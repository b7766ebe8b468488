"""Shows the progress of a change's watch in the terminal: time, conditions, their last values and limits."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from changewindow.changes import owed
from changewindow.changes.waiting import waits_for
from changewindow.cli.ledger_address import ledger
from changewindow.cli.output import print_json
from changewindow.cli.policy import policy_now
from changewindow.cli.terminal import raw
from changewindow.documents.text import visible
from changewindow.documents.types import duration_text
from changewindow.errors import BadPolicy
from changewindow.ledger import changes, watches
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Change
from changewindow.policy.model import Policy
from changewindow.watch.bars import BARS, sparkline
from changewindow.watch.comparison import amount
from changewindow.watch.progress import Followed, Progress

WIDTH = 40
PIPED = 200
"""Columns where no terminal says how many it has: a line that is searched for is not broken."""
EVERY = 1.0
"""Seconds between two updates."""
COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow", "error": "yellow"}
COMPLETED = "completed"


def run(arguments: argparse.Namespace) -> int:
    """Follow a change to its end; return 0 when it was completed, 1 when it ended otherwise.

    Without a terminal, or with --once, what is known now is printed once. JSON has the shape `output.FOLLOWED`.
    """
    known, policy = ledger(arguments), policy_now(arguments)
    if arguments.json:
        print_json(followed_json(known, arguments.change, policy, datetime.now(UTC)))
        return 0
    if arguments.once or not sys.stdout.isatty():
        shown, _ = look(known, arguments.change, datetime.now(UTC), policy)
        width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED
        Console(width=width).print(shown)
        return 0
    console = Console(file=raw(sys.stdout))
    with Live(console=console, auto_refresh=False) as live:
        while True:
            shown, outcome = look(known, arguments.change, datetime.now(UTC), policy)
            live.update(shown, refresh=True)
            if outcome:
                return 0 if outcome == COMPLETED else 1
            time.sleep(EVERY)


def look(known: Ledger, change: str, now: datetime, policy: Policy | BadPolicy) -> tuple[RenderableType, str | None]:
    """Return what the terminal shows of a change, and its outcome once it has ended.

    Raises:
        LedgerUnknown: there is no such change.
        LedgerDown: the ledger does not answer.
    """
    entry, progress = _followed(known, change)
    reason = f": {entry.reason}" if entry.reason else ""
    waiting, owes = waits_for(known, entry, policy, now), owed.owes_line(owed.of_change(known, change, now))
    lines = [f"{change} {entry.summary}", f"{entry.status}{reason}", *waiting, *([owes] if owes else [])]
    head = Text("\n".join(map(visible, lines)))
    return Group(head, watched(progress, now)) if progress else head, _outcome(entry)


def _followed(known: Ledger, change: str) -> tuple[Change, Progress | None]:
    """Return a change, with the progress of its current run's watch if there is one."""
    entry, kept = changes.get(known, change), watches.newest(known, change)
    return entry, kept.progress if kept and kept.run == entry.run else None


def _outcome(entry: Change) -> str | None:
    return None if entry.status in changes.WAITING or entry.status == "running" else entry.status


def followed_json(known: Ledger, change: str, policy: Policy | BadPolicy, now: datetime) -> dict[str, Any]:
    """Return what is known of a change in the shape of `output.FOLLOWED`: times in UTC, the oldest value first.

    Raises:
        LedgerUnknown: there is no such change.
        LedgerDown: the ledger does not answer.
    """
    entry, progress = _followed(known, change)
    head = {"change": change, "summary": entry.summary, "status": entry.status, "reason": entry.reason}
    waiting, owes = waits_for(known, entry, policy, now), owed.of_change(known, change, now)
    watch = _watch_json(progress) if progress else None
    return {**head, "outcome": _outcome(entry), "waits_for": waiting, "owes": owes, "watch": watch}


def _watch_json(progress: Progress) -> dict[str, Any]:
    verdict, because = progress.decided or (None, None)
    times = {name: getattr(progress, name) for name in ("begun", "over", "at", "samples", "asked_until")}
    conditions = [
        {
            "name": seen.name,
            "limits": seen.limits,
            "unit": seen.unit,
            "verdict": seen.verdict or None,
            "values": seen.recent,
        }
        for seen in progress.conditions
    ]
    return {**times, "verdict": verdict, "because": because, "conditions": conditions}


def watched(progress: Progress, now: datetime) -> RenderableType:
    """Return how a watch is shown: its time as a bar, and a line for each condition."""
    length = (progress.over - progress.begun).total_seconds()
    until = progress.at if progress.decided else now
    passed = min(max((until - progress.begun).total_seconds(), 0), length)
    left = f"{duration_text(_whole(progress.over - until))} left" if progress.over > until else "over"
    bar = Table.grid(padding=(0, 1))
    bar.add_row(ProgressBar(total=length, completed=passed, width=WIDTH), f"{left}, {progress.samples} samples")
    table = Table(box=None, pad_edge=False)
    for heading in ("condition", "limit", "verdict", "last", "values"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "values")
    for condition in progress.conditions:
        table.add_row(*_row(condition))
    state = f"last sample {duration_text(_whole(now - progress.at))} ago"
    if progress.decided:
        state = f"{progress.decided[0]}: {progress.decided[1]}"
    elif progress.asked_until:
        state += f"; people are asked whether to keep it, until {progress.asked_until:%H:%M} UTC"
    return Group(bar, table, Text(visible(state)))


def _row(condition: Followed) -> Sequence[RenderableType]:
    last = condition.recent[-1] if condition.recent else None
    value = visible(condition.text or "-") if last is None else amount(f"{last:.4g}", condition.unit)
    verdict = Text(condition.verdict or "-", style=COLOURS.get(condition.verdict, ""))
    name, limits = (Text(visible(text)) for text in (condition.name, condition.limits))
    return name, limits, verdict, Text(value), sparkline(condition.recent[-BARS:])


def _whole(length: timedelta) -> timedelta:
    return timedelta(seconds=round(length.total_seconds()))
