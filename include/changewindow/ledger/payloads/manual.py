"""The payload of what was done by hand and told afterwards."""

from typing import ClassVar

from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.payloads.base import Moment, Payload


class Recorded(Payload):
    """Somebody told what was done by hand; the event's actor is who told it, and nobody has approved it."""

    kind: ClassVar = EventKind.RECORDED
    digest: str
    """Of what was told."""
    summary: str
    targets: tuple[str, ...]
    began: Moment
    ended: Moment
    done_by: str
    """Who did it, as the actor says."""
    commands: int
    """How many were given."""
    masked: int = 0
    """How many secrets were hidden in them."""
    incident: str = ""
    origin: str | None = None
    """The run by which it was told."""
    due: Moment | None = None
    """By when its retroactive approval is owed; None: a version before 0.3 wrote it, and none is."""
