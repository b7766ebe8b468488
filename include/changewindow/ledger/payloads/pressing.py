"""Payloads of buttons that people press beside Airflow, and of what they ask for there."""

from typing import ClassVar

from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.payloads.base import Payload


class ButtonPressed(Payload):
    """A person pressed a button of the change's message; what it led to, if it counted, has an event of its own."""

    kind: ClassVar = EventKind.BUTTON_PRESSED
    channel: str
    """The kind of channel where the message stands, such as `slack`."""
    user: str
    """What the channel calls whoever pressed it."""
    action: str
    """`approve`, `reject`, `keep`, `take_back` or `abort`."""
    click: str
    """What tells this click from all others: the same one may arrive several times."""
    digest: str
    """The text that the message showed."""
    counts: bool
    sentence: str
    """What it led to, or why it did not count."""


class RollbackWanted(Payload):
    """A person who may do so asked for a completed change to be rolled back."""

    kind: ClassVar = EventKind.ROLLBACK_WANTED
    digest: str
    reason: str
