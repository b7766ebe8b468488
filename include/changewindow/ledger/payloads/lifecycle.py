"""Payloads of what people, policy and housekeeping do to a change."""

from typing import ClassVar

from pydantic import ConfigDict, Field

from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.payloads.base import Moment, Payload
from changewindow.policy.outcome import Outcome


class Submitted(Payload):
    """A ticket became a change."""

    kind: ClassVar = EventKind.SUBMITTED
    digest: str
    summary: str
    targets: tuple[str, ...]
    origin: str | None = None
    """The file of the ticket, when it came from a directory or a repository; versions before 0.2.1 do not say it."""
    is_proven: bool = True
    """Whether it is known who requested it; see `policy.standing`."""


class Revised(Payload):
    """A change got a new text."""

    kind: ClassVar = EventKind.REVISED
    digest: str
    before: str
    """The digest of the text before."""
    summary: str
    keeps_approvals: bool
    is_proven: bool = True
    """Whether it is known who wrote this text; what keeps its approvals keeps its requester, too."""


class ApprovalDecided(Payload):
    """A person said yes or no to the text of a change."""

    kind: ClassVar = EventKind.DECIDED
    digest: str
    level: str
    """The level of approval at which it counts."""
    yes: bool
    expires: Moment | None = None
    """Until when it counts; None: a version before 0.2 wrote it."""


class Approved(Payload):
    """The text of a change has every approval it needs."""

    kind: ClassVar = EventKind.APPROVED
    digest: str


class Rejected(Payload):
    """A person's no ended a change."""

    kind: ClassVar = EventKind.REJECTED
    digest: str
    reason: str = ""
    """Why, if the person has said so."""

    def by(self, person: str) -> str:
        """Return who ended the change so, and why."""
        return f"rejected by {person}: {self.reason}" if self.reason else f"rejected by {person}"


class Cancelled(Payload):
    """A person ended a change that had not acted."""

    kind: ClassVar = EventKind.CANCELLED
    reason: str


class Aborted(Payload):
    """A person ended a change, whatever it did."""

    kind: ClassVar = EventKind.ABORTED
    reason: str
    was: str
    """Its status at that moment."""


class Extended(Payload):
    """The window of a change got a later end."""

    kind: ClassVar = EventKind.EXTENDED
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)
    earlier: Moment = Field(alias="from")
    """The end before."""
    later: Moment = Field(alias="to")
    reason: str


class ExtensionAsked(Payload):
    """A person asked for a later end of the window; somebody else has to allow it."""

    kind: ClassVar = EventKind.EXTENSION_ASKED
    later: Moment
    reason: str
    people: tuple[str, ...]
    """Who may allow it; nobody named means anybody but who asked."""
    by: str
    """Who asked."""
    digest: str = ""
    """The text of the change for which it was asked; empty in events that do not say it yet."""

    @property
    def whom(self) -> str:
        """Return who may allow it, as a phrase."""
        return " or ".join(self.people) or f"anybody but {self.by}"


class ExtensionRefused(Payload):
    """It was not allowed, or nobody answered."""

    kind: ClassVar = EventKind.EXTENSION_REFUSED
    reason: str


class Closed(Payload):
    """A change ended."""

    kind: ClassVar = EventKind.CLOSED
    outcome: Outcome
    reason: str


class Released(Payload):
    """A person released a target that a failed rollback had kept."""

    kind: ClassVar = EventKind.RELEASED
    target: str
    reason: str


class RunDied(Payload):
    """The run that acted ended without recording an outcome."""

    kind: ClassVar = EventKind.RUN_DIED


class Clicked(Payload):
    """A person acted on the change in Airflow, in its pages or by REST."""

    kind: ClassVar = EventKind.CLICKED
    method: str
    path: str
    body: str
    status: int
    """The status of the answer."""
    reason: str = ""
    """Why Change Windows refused it; empty where it did not."""


class MessageSent(Payload):
    """A message about the change was sent."""

    kind: ClassVar = EventKind.MESSAGE_SENT
    room: str
    text: str
    channel: str
    """The kind of channel that took it, such as `slack`; `log` where there is none."""


class MessageFailed(Payload):
    """A message about the change did not arrive."""

    kind: ClassVar = EventKind.MESSAGE_FAILED
    reason: str


class MarkerSent(Payload):
    """Another tool was told of a moment of the change."""

    kind: ClassVar = EventKind.MARKER_SENT
    marker: str
    """Its name in `markers.yaml`."""
    tool: str
    """The kind of marker, such as `grafana`."""
    moment: str
    """`began`, `rolling_back` or `ended`."""
    reference: str
    """What the tool calls its entry; empty where it does not say so."""
    ended_as: str = ""
    """As what outcome an end was told; empty where that was not written down."""


class MarkerFailed(Payload):
    """Another tool was not told of a moment of the change."""

    kind: ClassVar = EventKind.MARKER_FAILED
    marker: str
    """Its name in `markers.yaml`, or that of the file where it cannot be read."""
    tool: str
    """The kind of marker."""
    moment: str
    """`began`, `rolling_back` or `ended`."""
    reason: str


class LineBegun(Payload):
    """From here on, whatever stops the line has an event."""

    kind: ClassVar = EventKind.LINE_BEGUN


class LineStopped(Payload):
    """A person stopped the line."""

    kind: ClassVar = EventKind.LINE_STOPPED
    stop: int
    """The id of its row."""
    reason: str
    until: Moment


class LineLifted(Payload):
    """A person ended stops of the line before their time."""

    kind: ClassVar = EventKind.LINE_LIFTED
    stops: tuple[int, ...]
    """The ids of their rows."""
