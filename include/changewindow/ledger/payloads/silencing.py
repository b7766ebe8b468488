"""Payloads of the silences of a change."""

from typing import ClassVar, Literal

from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.payloads.base import Moment, Payload

Act = Literal["open", "renew", "end"]


class Silenced(Payload):
    """Alerts are kept from people while the change runs."""

    kind: ClassVar = EventKind.SILENCED
    silence: int
    """Its number in the ticket, from 1."""
    what: str
    connection: str
    id: str
    """What the product calls it."""
    until: Moment
    """When it lapses if nobody renews it."""


class SilenceFailed(Payload):
    """A silence could not be opened, renewed or ended; the change goes on all the same."""

    kind: ClassVar = EventKind.SILENCE_FAILED
    silence: int
    what: str
    connection: str
    act: Act
    reason: str


class SilenceEnded(Payload):
    """A silence is over: written before it is ended, so that nobody renews it any more."""

    kind: ClassVar = EventKind.SILENCE_ENDED
    silence: int
    what: str
    connection: str
    by_hand: bool = False
    """Whether a person has ended it, or set another end, in the product itself; it is left to them."""
