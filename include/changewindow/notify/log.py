"""Writes messages to the log of the task that has them, word for word, for installations without another channel."""

import logging
from typing import Literal

from changewindow.documents.text import visible
from changewindow.notify.base import ChannelBase, Message, Reference, Tools

EXAMPLE = {"kind": "log"}
log = logging.getLogger("changewindow")


class Channel(ChannelBase):
    """The task log."""

    kind: Literal["log"] = "log"

    def place(self, room: str) -> str:
        """Return the log: nothing holds it up."""
        return "log"

    def post(
        self, tools: Tools, room: str, message: Message, *, below: Reference | None = None, is_loud: bool = False
    ) -> Reference:
        """Write a text, line by line, below the name of the room."""
        log.info("message to %s:", room)
        for line in visible(message.sent_at(tools.now())).splitlines():
            log.info("%s", line)
        return Reference(room, message.key or "log")
