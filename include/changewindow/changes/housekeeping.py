"""Finds what nobody else will end: orphaned changes, missed windows, missing files and stale files."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from changewindow.changes.extensions import ABOUT, open_extensions
from changewindow.changes.publication import IDENTITY, is_published
from changewindow.ledger import changes, events, leases, queries
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.models import Change
from changewindow.ledger.payloads import ExtensionRefused
from changewindow.policy.conflicts import HOLDING

IsAlive = Callable[[str, str | None], bool]
"""Whether a run of a DAG, which is most often a change, or any run when none is named, is queued or running."""
LATE = timedelta(minutes=5)
"""How long after its window a change may still record its own outcome."""
KEPT = timedelta(days=1)
"""How long the file of a closed change is kept, so that the change can be rolled back."""


def orphaned(ledger: Ledger, is_alive: IsAlive, now: datetime) -> list[Change]:
    """Return the changes whose status says that they act, while no run of them is alive; they must be rolled back."""
    orphans = []
    for change in queries.with_status(ledger, "running"):
        is_dead = (change.run is None or not is_alive(change.id, change.run)) and not is_alive(change.id, None)
        is_dead = is_dead and not leases.is_terminal_alive(ledger, change.run, now)
        if is_dead and leases.orphan(ledger, change.id, run=change.run or "", now=now):
            orphans.append(change)
    return orphans


def missed(ledger: Ledger, is_alive: IsAlive, now: datetime) -> list[Change]:
    """Close, as `missed`, the changes whose window passed without any run recording it; return them.

    A run that is still open so long after the window is stuck, because its DAG is paused; when it goes on, the gate
    refuses it.
    """
    late = []
    for change in queries.with_status(ledger, "submitted", "approved"):
        if change.closes + LATE < now:
            reason = f"{_why_missed(change, is_alive)}; the window ended {change.closes:%Y-%m-%d %H:%M} UTC"
            changes.close(ledger, change.id, run=None, outcome="missed", reason=reason, now=now)
            late.append(changes.get(ledger, change.id))
    return late


def _why_missed(change: Change, is_alive: IsAlive) -> str:
    if change.status == "submitted":
        return "nobody approved it in time"
    return "its run was stuck" if is_alive(change.id, None) else "no run of it started in its window"


def unanswered(ledger: Ledger, is_alive: IsAlive, now: datetime) -> list[str]:
    """End the requests for a longer window whose run can be answered no more, for somebody has ended it; return them.

    Until then a page would wait with everybody who looks at it for an answer that nobody can give.
    """
    gone = []
    for change in queries.with_event(ledger, EventKind.EXTENSION_ASKED, *changes.WAITING, "running"):
        for asked in open_extensions(events.history(ledger, change, *ABOUT)):
            dag, _, run = asked.run.partition("/")
            if not is_alive(dag, run):
                refused = ExtensionRefused(run=asked.run, reason="its run ended before anybody answered")
                events.record(ledger, events.Event(change, "housekeeping", now, refused))
                gone.append(f"{asked.run} of {change}")
    return gone


def frozen(ledger: Ledger, is_paused: Callable[[str], bool]) -> list[str]:
    """Return the changes that act although their DAG is paused: they neither go on nor roll back."""
    return [change.id for change in queries.with_status(ledger, "running") if is_paused(change.id)]


def unpublished(ledger: Ledger, bundle: Path, now: datetime) -> list[str]:
    """Return the changes that may act, or be rolled back, whose file is missing or not what publishing writes.

    What a terminal has completed is published so for the first time.
    """
    wanted = queries.newest_texts(ledger, "approved", "running", "rollback_failed")
    wanted |= queries.newest_texts(ledger, "completed", closed_after=now - KEPT)
    return [change for change, text in wanted.items() if not is_published(bundle, change, _data(text), ledger.seal)]


def _data(text: str) -> Any:
    """Return what a text of the ledger says; nothing for one that somebody has made illegible."""
    with suppress(ValueError):
        return json.loads(text)
    return None


def stale(ledger: Ledger, is_alive: IsAlive, bundle: Path, now: datetime) -> list[Path]:
    """Return the files of changes that closed long enough ago and have no open run."""
    files = {path.stem: path for path in sorted(bundle.glob("CHG-*.json")) if IDENTITY.fullmatch(path.stem)}
    over = {change.id for change in queries.of_ids(ledger, files) if is_over(change, now)}
    return [path for identity, path in files.items() if identity in over and not is_alive(identity, None)]


def is_over(change: Change, now: datetime) -> bool:
    """Return whether a change closed so long ago that it is no longer rolled back."""
    may_act = change.status in {*changes.CHANGEABLE, *HOLDING}
    return not may_act and change.closed_at is not None and change.closed_at + KEPT < now
