"""What the sender works with: the ledger, the channels of each room, and what there is to say of a change."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from changewindow.changes.card import Card
from changewindow.ledger.database import Ledger
from changewindow.notify.base import ChannelBase, Message, Tools
from changewindow.policy.messages import Messages


@dataclass(frozen=True)
class Line:
    """What is said of one event in the thread of its change."""

    sequence: int
    """The number of the event."""
    text: str
    is_loud: bool = False
    """Whether the room itself is to read of it."""


@dataclass(frozen=True)
class Shown:
    """A change as it is to be shown in a channel of a room."""

    card: Card
    message: Message


@dataclass(frozen=True)
class Desk:
    """Everything that the sender asks others for."""

    ledger: Ledger
    policy: Messages
    channels: Callable[[str], Mapping[str, ChannelBase]]
    """Returns the channels of a room by name, without the log."""
    tools: Callable[[ChannelBase], Tools]
    show: Callable[[str, str, str], Shown]
    """Returns what a change (its id) looks like in a room, in a kind of channel."""
    room_of: Callable[[str], str]
    """Returns the room of a change; empty where it has no message of its own."""
    lines: Callable[[str, int], tuple[Line, ...]]
    """Returns what the thread of a change says of its events after a number."""
    log: Callable[[str], None]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
