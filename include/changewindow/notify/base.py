"""The contract of a channel: post a text, in a thread where there is one."""

from typing import Protocol


class Channel(Protocol):
    """Where messages of changes go."""

    def post(self, room: str, text: str, thread: str | None) -> str | None:
        """Post a text into a room, as a reply when `thread` is given; return the thread it stands in.

        Raises:
            NotDelivered: it did not arrive.
        """


class NotDelivered(Exception):
    """A message did not arrive; no change fails for that."""
