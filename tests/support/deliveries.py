"""Changes that were deployed at moments of a test's choosing, as gates, tasks and housekeeping record it."""

from datetime import datetime, timedelta
from typing import Any

from changewindow.ledger import approvals, changes, events, payloads, records
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from support.changes import NOW, intent
from support.declarations import declaration
from support.manual_changes import manual
from support.tickets import banner

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def asked(ledger: Ledger, at: datetime, **ticket: Any) -> str:
    """Submit a ticket whose window begins at a moment, two hours before it; return the change."""
    window = {"zone": "UTC", "start": f"{at:%Y-%m-%d %H:%M}", "end": f"{at + HOUR:%Y-%m-%d %H:%M}"}
    return changes.submit(ledger, banner(window=window, **ticket), requester="alice", now=at - 2 * HOUR).change


def said(ledger: Ledger, change: str, at: datetime, *, is_yes: bool = True) -> None:
    """Let bob approve the newest text of a change, or not."""
    digest = changes.get(ledger, change).digest
    approvals.decide(ledger, change, intent(digest), person="bob", is_yes=is_yes, now=at)


def started(ledger: Ledger, change: str, at: datetime, **changed: Any) -> None:
    """Let a run of a change pass its gate."""
    digest = changes.get(ledger, change).digest
    fields = {"digest": digest, "mode": "run", "token": 1, "targets": (), **changed}
    events.record(ledger, Event(change, "run", at, payloads.Started(**fields)))


def ended(ledger: Ledger, change: str, at: datetime, outcome: Any = "completed") -> None:
    """Close a change."""
    changes.close(ledger, change, run=f"run at {at}", outcome=outcome, reason="", now=at)


def deployed(ledger: Ledger, at: datetime = NOW - DAY, outcome: str = "completed", **ticket: Any) -> str:
    """Deploy a change that ends half an hour after its gate; one that is taken back is so from minute 20 on."""
    change = asked(ledger, at, **ticket)
    started(ledger, change, at)
    if outcome != "completed":
        decided = payloads.WatchDecided(route="undo", reason="it was bad")
        events.record(ledger, Event(change, "run", at + 20 * MINUTE, decided))
    ended(ledger, change, at + 30 * MINUTE, outcome)
    return change


def rolled_back_later(ledger: Ledger, change: str, at: datetime) -> None:
    """Roll back a change that was completed, which takes ten minutes."""
    started(ledger, change, at, mode="rollback")
    ended(ledger, change, at + 10 * MINUTE, "rolled_back")


def emergency(ledger: Ledger, at: datetime = NOW - DAY, **declared: Any) -> str:
    """Deploy what somebody has declared an emergency."""
    change = asked(ledger, at, type="emergency", risk="high")
    events.record(ledger, Event(change, "alice", at - MINUTE, declaration(at, **declared)))
    started(ledger, change, at)
    ended(ledger, change, at + 30 * MINUTE)
    return change


def by_hand(ledger: Ledger, at: datetime = NOW - DAY, **told: Any) -> str:
    """Tell of what was done by hand."""
    done = manual("restart orders", began=at, ended=at + MINUTE, **told)
    return records.enter(ledger, done, {}, person="alice", now=at + HOUR).change
