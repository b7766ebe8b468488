"""Payloads of the gate, and of steps as they are applied and undone."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.payloads.base import Payload
from changewindow.policy.outcome import Outcome
from changewindow.policy.standing import Mode
from changewindow.systems.place import Place


class RefusalReason(BaseModel):
    """A reason of the gate, and what would make it right."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    code: str
    sentence: str
    remedy: str


class Confirmed(Payload):
    """A person confirmed what no machine can check."""

    kind: ClassVar = EventKind.CONFIRMED
    items: tuple[str, ...]
    by: str


class Started(Payload):
    """A run passed the gate and holds its targets."""

    kind: ClassVar = EventKind.STARTED
    digest: str
    mode: Mode
    token: int
    """The fencing token of its leases."""
    targets: tuple[str, ...]
    values: dict[str, Any] = {}
    """What was chosen for parameters in place of their defaults."""


class Refused(Payload):
    """The gate refused a run."""

    kind: ClassVar = EventKind.REFUSED
    outcome: Outcome
    reasons: tuple[str, ...]
    findings: tuple[RefusalReason, ...] = ()
    """The same reasons with code and remedy."""


class Remembered(Payload):
    """A step is about to be applied, and this is what its undo will need."""

    kind: ClassVar = EventKind.REMEMBERED
    step: int
    name: str
    remembered: dict[str, Any]
    place: Place | None = None
    """Where it acts; None where that is many places, or was not written down."""


class Applied(Payload):
    """A step was applied."""

    kind: ClassVar = EventKind.APPLIED
    step: int
    name: str


class ApplyFailed(Payload):
    """A step was not applied; it may be half applied, and undo takes that back."""

    kind: ClassVar = EventKind.APPLY_FAILED
    step: int
    name: str
    reason: str


class Undoing(Payload):
    """The undo of a step began."""

    kind: ClassVar = EventKind.UNDOING
    step: int
    name: str


class UndoFailed(Payload):
    """The undo of a step failed; the step may be half undone."""

    kind: ClassVar = EventKind.UNDO_FAILED
    step: int
    name: str
    reason: str


class UndoStopped(Payload):
    """The undo of a step lost its step lock and stopped."""

    kind: ClassVar = EventKind.UNDO_STOPPED
    step: int
    name: str
    reason: str


class Undone(Payload):
    """A step was undone."""

    kind: ClassVar = EventKind.UNDONE
    step: int
    name: str
    restored: str = ""
    """What it went back to, such as `orders:1.4.2`; empty where the step has no value to name."""
