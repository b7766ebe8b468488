"""Opens a TCP connection and reads whether it opens, or the seconds it took.

`read: connects` is true, or false when the port is closed or does not answer within `within`. Of several addresses, one
that connects is enough. When the host's name is not found or this machine has no route to it, that says nothing about
the service and is `unreachable`.
"""

import asyncio
import errno
import re
import socket
import time
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field

from changewindow.documents.types import Duration, duration_text
from changewindow.sources.base import SourceBase
from changewindow.systems.measurement import Answer, SourceContext, SourceError
from changewindow.systems.names import Host, a_labels

EXAMPLE = {"kind": "tcp", "host": "db.example.com", "port": 5432, "read": "connects"}
NO_WAY = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL}
NEXT_ADDRESS = 0.25
"""Seconds after which the next address of a host is tried as well."""


class Source(SourceBase):
    """A port, and what is read of it."""

    kind: Literal["tcp"] = "tcp"
    why_not_before_approval: ClassVar[str] = ""
    host: Host
    """The name or address of the host."""
    port: int = Field(ge=1, le=65535)
    read: Literal["connects", "latency"] = "connects"
    """Whether it connects, or the seconds that took."""
    within: Duration = Field(default=timedelta(seconds=3), gt=timedelta(0))
    """How long it may take to connect; keep it shorter than the condition's timeout."""

    def description(self) -> str:
        """Return the port and what is read of it."""
        return f"{self.read} of TCP {self.host}:{self.port}"

    async def ask(self, context: SourceContext) -> Answer:
        """Connect, and hang up."""
        started, began = context.now(), time.perf_counter()
        query = f"TCP {self.host}:{self.port}"
        try:
            async with asyncio.timeout(self.within.total_seconds()):
                _, writer = await asyncio.open_connection(
                    a_labels(self.host), self.port, happy_eyeballs_delay=NEXT_ADDRESS
                )
        except (socket.gaierror, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SourceError("unreachable", f"the host {self.host} is not found: {reason}") from error
        except (TimeoutError, OSError) as error:
            why = error.strerror or str(error) or f"no answer within {duration_text(self.within)}"
            # Where it has tried several addresses, the error has no number of its own, but those of all in its text.
            numbers = {int(number) for number in re.findall(r"\[Errno (\d+)\]", str(error))}
            if (numbers and numbers <= NO_WAY) or self.read == "latency":
                raise SourceError("unreachable", f"{query} does not connect: {why}") from error
            return Answer(False, started, f"{query}: {why}")
        took = time.perf_counter() - began
        writer.transport.abort()
        return Answer(True if self.read == "connects" else took, started, query)
