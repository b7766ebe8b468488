"""Declarations of emergencies, as tests need them."""

from datetime import datetime, timedelta
from typing import Any

from changewindow.ledger.payloads import Declared


def declaration(at: datetime, **changed: Any) -> Declared:
    """Return what alice declares at a moment, for whom carol has said yes by phone; it is owed for a day."""
    fields = {
        "digest": "",
        "broken": "no orders come in",
        "commander": "carol",
        "agreed_at": at,
        "agreed_how": "by phone",
        "executor": "alice",
        "skipped": (),
        "due": at + timedelta(hours=24),
    }
    return Declared(**{**fields, **changed})
