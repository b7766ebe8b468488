"""Payloads of what is found in the world, and of what becomes of it."""

from typing import ClassVar

from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.payloads.base import Moment, Payload
from changewindow.policy.world_finding import Kind, State


class LookingBegun(Payload):
    """A collector was asked for the first time: from here on, what it sees is compared with what was announced."""

    kind: ClassVar = EventKind.LOOKING_BEGUN
    collector: str


class FindingMade(Payload):
    """Something was found that no change announced, or a time in which a collector could not see."""

    kind: ClassVar = EventKind.FINDING_MADE
    finding: int
    """The id of its row."""
    about: Kind
    collector: str
    object: str
    happened: Moment
    end: Moment | None = None
    what: str
    why: str
    was: str = ""
    became: str = ""
    by: str = ""
    known_by: str = ""
    environment: str = ""
    services: tuple[str, ...] = ()


class FindingChanged(Payload):
    """A finding came into another state."""

    kind: ClassVar = EventKind.FINDING_CHANGED
    finding: int
    state: State
    reason: str
    until: Moment | None = None
    """Until when it is accepted."""


class FindingTold(Payload):
    """The owners of the services were told of findings, or it was tried."""

    kind: ClassVar = EventKind.FINDING_TOLD
    told: tuple[int, ...]
    room: str
