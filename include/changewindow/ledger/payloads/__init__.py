"""What each kind of event says, as a type of its own; `read` returns it for a stored row."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.payloads.acting import (
    Applied,
    Confirmed,
    RefusalReason,
    Refused,
    Remembered,
    Started,
    UndoFailed,
    Undoing,
    Undone,
    UndoStopped,
)
from changewindow.ledger.payloads.base import (
    Payload,
    Unknown,
)
from changewindow.ledger.payloads.emergency import (
    Declared,
    Drilled,
    FollowedUp,
    Reminded,
    RetroDecided,
    ReviewAsked,
    Reviewed,
)
from changewindow.ledger.payloads.finding import FindingChanged, FindingMade, FindingTold, LookingBegun
from changewindow.ledger.payloads.lifecycle import (
    Aborted,
    ApprovalDecided,
    Approved,
    Cancelled,
    Clicked,
    Closed,
    Extended,
    LineBegun,
    LineLifted,
    LineStopped,
    MarkerFailed,
    MarkerSent,
    MessageFailed,
    MessageSent,
    Rejected,
    Released,
    Revised,
    RunDied,
    Submitted,
)
from changewindow.ledger.payloads.manual import Recorded
from changewindow.ledger.payloads.measuring import (
    Answered,
    Asked,
    Baseline,
    Checked,
    NotVerified,
    Read,
    Validated,
    Verified,
    WatchDecided,
    Watched,
    Watching,
)
from changewindow.ledger.payloads.silencing import Silenced, SilenceEnded, SilenceFailed

__all__ = [
    "PAYLOADS",
    "Aborted",
    "Answered",
    "Applied",
    "ApprovalDecided",
    "Approved",
    "Asked",
    "Baseline",
    "Cancelled",
    "Checked",
    "Clicked",
    "Closed",
    "Confirmed",
    "Declared",
    "Drilled",
    "Extended",
    "FindingChanged",
    "FindingMade",
    "FindingTold",
    "FollowedUp",
    "LineBegun",
    "LineLifted",
    "LineStopped",
    "LookingBegun",
    "MarkerFailed",
    "MarkerSent",
    "MessageFailed",
    "MessageSent",
    "NotVerified",
    "Payload",
    "Read",
    "Recorded",
    "RefusalReason",
    "Refused",
    "Rejected",
    "Released",
    "Remembered",
    "Reminded",
    "RetroDecided",
    "ReviewAsked",
    "Reviewed",
    "Revised",
    "RunDied",
    "SilenceEnded",
    "SilenceFailed",
    "Silenced",
    "Started",
    "Submitted",
    "UndoFailed",
    "UndoStopped",
    "Undoing",
    "Undone",
    "Unknown",
    "Validated",
    "Verified",
    "WatchDecided",
    "Watched",
    "Watching",
    "read",
]

_ALL: tuple[type[Payload], ...] = (
    Submitted,
    Recorded,
    Revised,
    ApprovalDecided,
    Approved,
    Rejected,
    Cancelled,
    Aborted,
    Extended,
    Closed,
    Released,
    RunDied,
    Clicked,
    MessageSent,
    MessageFailed,
    MarkerSent,
    MarkerFailed,
    Confirmed,
    Started,
    Refused,
    Remembered,
    Applied,
    Undoing,
    UndoFailed,
    UndoStopped,
    Undone,
    Checked,
    Baseline,
    Watching,
    Read,
    Watched,
    Asked,
    Answered,
    WatchDecided,
    Validated,
    Verified,
    NotVerified,
    Silenced,
    SilenceFailed,
    SilenceEnded,
    LineBegun,
    LineStopped,
    LineLifted,
    LookingBegun,
    FindingMade,
    FindingChanged,
    FindingTold,
    Declared,
    RetroDecided,
    ReviewAsked,
    Reviewed,
    Reminded,
    FollowedUp,
    Drilled,
)
PAYLOADS: Mapping[str, tuple[type[Payload], ...]] = {
    kind: tuple(payload for payload in _ALL if payload.kind == kind) for kind in EventKind
}
"""The payloads of each kind: one each, but two for `decided`, which a person's approval and a watch have in common."""


def read(kind: str, data: dict[str, Any]) -> Payload | Unknown:
    """Return what a stored event says; what this version cannot read comes back as it is."""
    for payload in PAYLOADS.get(kind, ()):
        with suppress(ValidationError):
            return payload.model_validate(data, extra="ignore")
    return Unknown(kind, data)
