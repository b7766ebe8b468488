"""Shows in the terminal how far the watch of a change is: time, conditions, their last values and limits."""

import argparse
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from changewindow.cli.ledger import ledger
from changewindow.documents.types import duration_text
from changewindow.ledger import changes, watches
from changewindow.ledger.database import Ledger
from changewindow.watch.progress import Followed, Progress

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 40
EVERY = 1.0
"""Seconds between two looks."""
COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow", "error": "yellow"}
COMPLETED = "completed"


def run(asked: argparse.Namespace) -> int:
    """Follow a change to its end; return 0 when it was completed, 1 when it ended otherwise.

    Without a terminal, or with --once, what is known now is printed once.
    """
    known, console = ledger(asked), Console()
    if asked.once or not console.is_terminal:
        shown, _ = look(known, asked.change, datetime.now(UTC))
        console.print(shown)
        return 0
    with Live(console=console, auto_refresh=False) as live:
        while True:
            shown, outcome = look(known, asked.change, datetime.now(UTC))
            live.update(shown, refresh=True)
            if outcome:
                return 0 if outcome == COMPLETED else 1
            time.sleep(EVERY)


def look(known: Ledger, change: str, now: datetime) -> tuple[RenderableType, str | None]:
    """Return what there is to see of a change, and its outcome once it has one.

    Raises:
        LedgerUnknown: there is no such change.
        LedgerDown: the ledger does not answer.
    """
    found, kept = changes.get(known, change), watches.newest(known, change)
    outcome = None if found.status in changes.WAITING or found.status == "running" else found.status
    reason = f": {found.reason}" if found.reason else ""
    head = Text(f"{change} {found.summary}\n{found.status}{reason}")
    if kept is None or kept.run != found.run:
        return Group(head, Text("nothing is watched")), outcome
    return Group(head, watched(kept.progress, now)), outcome


def watched(progress: Progress, now: datetime) -> RenderableType:
    """Return a watch: its time as a bar, and a line for each condition."""
    length = (progress.over - progress.begun).total_seconds()
    until = progress.at if progress.decided else now
    passed = min(max((until - progress.begun).total_seconds(), 0), length)
    left = f"{duration_text(_whole(progress.over - until))} left" if progress.over > until else "over"
    bar = Table.grid(padding=(0, 1))
    bar.add_row(ProgressBar(total=length, completed=passed, width=WIDTH), f"{left}, {progress.samples} samples")
    table = Table(box=None, pad_edge=False)
    for heading in ("condition", "limit", "verdict", "last", "values"):
        table.add_column(heading, overflow="fold")
    for one in progress.conditions:
        table.add_row(*_row(one))
    said = f"last sample {(now - progress.at).total_seconds():.0f} s ago"
    if progress.decided:
        said = f"{progress.decided[0]}: {progress.decided[1]}"
    elif progress.asked_until:
        said += f"; whether it is kept is asked until {progress.asked_until:%H:%M} UTC"
    return Group(bar, table, Text(said))


def _row(one: Followed) -> Sequence[RenderableType]:
    last = one.recent[-1] if one.recent else None
    value = "-" if last is None else f"{last:.4g}"
    verdict = Text(one.verdict or "-", style=COLOURS.get(one.verdict, ""))
    return Text(one.name), Text(one.limits), verdict, value, sparkline(one.recent[-WIDTH:])


def _whole(length: timedelta) -> timedelta:
    return timedelta(seconds=round(length.total_seconds()))


def sparkline(values: Sequence[float | None]) -> str:
    """Return values as a row of bars between their least and their greatest; what was no number is a gap."""
    numbers = [value for value in values if value is not None]
    low, high = min(numbers, default=0.0), max(numbers, default=0.0)
    step = (high - low) / (len(BLOCKS) - 1) or 1
    return "".join(" " if value is None else BLOCKS[round((value - low) / step)] for value in values)
