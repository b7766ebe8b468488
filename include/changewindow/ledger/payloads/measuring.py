"""Payloads of what was measured: checks, the baseline, the watch and its decision, and whether all is as before."""

from typing import Any, ClassVar

from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.payloads.base import Moment, Payload
from changewindow.watch.judgement import Route

Readings = tuple[dict[str, Any], ...]
"""Readings as JSON, see `changewindow.watch.reading`."""


class Checked(Payload):
    """Checks of the preflight were read."""

    kind: ClassVar = EventKind.CHECKED
    verdict: Route
    reason: str
    samples: int = 0
    readings: Readings = ()
    """The last sample."""


class Baseline(Payload):
    """The baseline was taken."""

    kind: ClassVar = EventKind.BASELINE
    before: dict[str, list[float]]
    """Its values by the name of their condition."""


class Watching(Payload):
    """A watch began."""

    kind: ClassVar = EventKind.WATCHING
    since: Moment
    """Only newer readings count."""
    seconds: float
    """How long it is to last."""


class Read(Payload):
    """A watch took readings."""

    kind: ClassVar = EventKind.READ
    readings: Readings


class Watched(Payload):
    """A watch came to a verdict, or a person's answer to its question did."""

    kind: ClassVar = EventKind.WATCHED
    verdict: Route
    reason: str
    samples: int = 0
    readings: Readings = ()
    """The last sample; none after a person's answer."""


class Asked(Payload):
    """People were asked whether the change is kept."""

    kind: ClassVar = EventKind.ASKED
    people: tuple[str, ...]
    reason: str
    until: Moment
    """With no answer by then, the change is rolled back."""


class Answered(Payload):
    """A person answered whether the change is kept."""

    kind: ClassVar = EventKind.ANSWERED
    by: str
    answer: tuple[str, ...]


class WatchDecided(Payload):
    """It was decided whether a change is kept or rolled back."""

    kind: ClassVar = EventKind.DECIDED
    route: str
    """`succeed` or `undo`."""
    reason: str


class Validated(Payload):
    """The change was proven good, and is kept."""

    kind: ClassVar = EventKind.VALIDATED
    reason: str


class Verified(Payload):
    """After the rollback, everything is as before."""

    kind: ClassVar = EventKind.VERIFIED
    verdict: Route
    reason: str
    samples: int = 0
    readings: Readings = ()
    """The last sample."""


class NotVerified(Payload):
    """After the rollback, something is not as before, or could not be read."""

    kind: ClassVar = EventKind.NOT_VERIFIED
    verdict: Route
    reason: str
    samples: int = 0
    readings: Readings = ()
    """The last sample."""
