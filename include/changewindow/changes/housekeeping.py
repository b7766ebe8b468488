"""Finds what nobody else will end: changes whose run died, changes whose window passed, files that lack or linger."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from changewindow.changes.publication import IDENTITY
from changewindow.errors import LedgerUnknown
from changewindow.ledger import changes, leases, queries
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Change
from changewindow.policy.conflicts import HOLDING

IsAlive = Callable[[str, str | None], bool]
"""Says whether a run of a change, or any run when none is named, is queued or running."""
LATE = timedelta(minutes=5)
"""How long after its window a change may still record its own outcome."""
KEPT = timedelta(days=1)
"""How long the file of a closed change is kept, so that it can be taken back."""


def died(ledger: Ledger, is_alive: IsAlive, now: datetime) -> list[Change]:
    """Return the changes that act by their status though no run of them lives; they have to be taken back."""
    found = []
    for change in queries.with_status(ledger, "running"):
        is_dead = (change.run is None or not is_alive(change.id, change.run)) and not is_alive(change.id, None)
        if is_dead and leases.orphan(ledger, change.id, run=change.run or "", now=now):
            found.append(change)
    return found


def overslept(ledger: Ledger, is_alive: IsAlive, now: datetime) -> list[Change]:
    """Close, as `missed`, the changes whose window passed and of which no run has said so; return them.

    A run that is open so long after the window stands still, because its DAG is paused; when it goes on, the gate
    refuses it.
    """
    found = []
    for change in queries.with_status(ledger, "submitted", "approved"):
        if change.closes + LATE < now:
            reason = f"{_why_overslept(change, is_alive)}; the window ended {change.closes:%Y-%m-%d %H:%M} UTC"
            changes.close(ledger, change.id, run=None, outcome="missed", reason=reason, now=now)
            found.append(changes.get(ledger, change.id))
    return found


def _why_overslept(change: Change, is_alive: IsAlive) -> str:
    if change.status == "submitted":
        return "nobody approved it in time"
    return "its run stood still" if is_alive(change.id, None) else "no run of it started in its window"


def frozen(ledger: Ledger, is_paused: Callable[[str], bool]) -> list[str]:
    """Return the changes that act by their status, while their DAG is paused: nothing of them goes on, nor back."""
    return [change.id for change in queries.with_status(ledger, "running") if is_paused(change.id)]


def unpublished(ledger: Ledger, bundle: Path) -> list[str]:
    """Return the approved or acting changes that have no file."""
    wanted = queries.with_status(ledger, "approved", "running", "rollback_failed")
    return [change.id for change in wanted if not (bundle / f"{change.id}.py").exists()]


def lingering(ledger: Ledger, is_alive: IsAlive, bundle: Path, now: datetime) -> list[Path]:
    """Return the files of changes that closed long enough ago and of which no run is open."""
    return [
        path
        for path in sorted(bundle.glob("CHG-*.py"))
        if IDENTITY.fullmatch(path.stem) and _is_over(ledger, path.stem, now) and not is_alive(path.stem, None)
    ]


def _is_over(ledger: Ledger, change: str, now: datetime) -> bool:
    try:
        found = changes.get(ledger, change)
    except LedgerUnknown:
        return False
    may_act = found.status in {*changes.CHANGEABLE, *HOLDING}
    return not may_act and found.closed_at is not None and found.closed_at + KEPT < now
