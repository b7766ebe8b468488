"""A change that acts at a moment of a test's choosing, as the tasks of its run record it."""

from datetime import datetime, timedelta
from typing import Any

from changewindow.ledger import changes, events, payloads
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from support.tickets import banner


def acted(ledger: Ledger, at: datetime, *, name: str = "Switch it on", remembered: Any = None, **ticket: Any) -> str:
    """Let a change of alice apply its first step, as if it were not long after it was asked for; return its id."""
    change = changes.submit(ledger, banner(**ticket), requester="alice", now=at - timedelta(minutes=1)).change
    for moment, payload in (
        (at, payloads.Remembered(step=1, name=name, remembered=remembered or {})),
        (at + timedelta(seconds=1), payloads.Applied(step=1, name=name)),
    ):
        events.record(ledger, Event(change, "run/apply_1", moment, payload))
    return change
