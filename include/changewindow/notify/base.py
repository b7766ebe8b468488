"""The contract of a channel: post a text, in a thread where there is one; whatever is posted late says so."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

LATE = timedelta(minutes=1)
"""How long after its moment a message may go out as if it were about the present."""


class Channel(Protocol):
    """Where messages of changes go."""

    @property
    def kind(self) -> str:
        """Return the name of its file: what the record says of a message."""

    def post(self, room: str, text: str, thread: str | None) -> str | None:
        """Post a text into a room, as a reply when `thread` is given; return the thread it stands in.

        Raises:
            NotDelivered: it did not arrive.
        """


class NotDelivered(Exception):
    """A message did not arrive; no change fails for that."""


@dataclass(frozen=True)
class Message:
    """A text, and the moment that it speaks of."""

    text: str
    about: datetime

    def sent_at(self, now: datetime) -> str:
        """Return the text as it is read when it goes out now: its first line says by how much it is late."""
        if now - self.about <= LATE:
            return self.text
        head, line_end, rest = self.text.partition("\n")
        return f"{head} {_lateness(self.about.astimezone(UTC), now.astimezone(UTC))}{line_end}{rest}"


def send(channel: Channel, room: str, message: Message, thread: str | None, *, now: datetime) -> str | None:
    """Post a message, which says so if it is late; return the thread it stands in.

    Raises:
        NotDelivered: it did not arrive.
    """
    return channel.post(room, message.sent_at(now), thread)


def _lateness(about: datetime, now: datetime) -> str:
    minutes = int((now - about).total_seconds()) // 60
    late = f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
    moment = f"{about:%H:%M:%S}" if about.date() == now.date() else f"{about:%Y-%m-%d %H:%M:%S}"
    return f"(said {late} late: {moment} UTC)"
