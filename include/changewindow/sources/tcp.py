"""Opens a TCP connection and reads whether it opens, or the seconds it took.

`read: connects` is true, or false when the port is closed or does not answer within `within`. When the host's name is
not found or this machine has no way to it, that says nothing about the service and is `unreachable`.
"""

import asyncio
import errno
import socket
import time
from datetime import timedelta
from typing import Literal

from pydantic import Field

from changewindow.model import Duration, duration_text
from changewindow.sources.base import Answer, Asking, SourceBase, SourceError

EXAMPLE = {"kind": "tcp", "host": "db.example.com", "port": 5432, "read": "connects"}
NO_WAY = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL}


class Source(SourceBase):
    """A port, and what is read of it."""

    host: str = Field(min_length=1)
    """The name or address of the host."""
    port: int = Field(ge=1, le=65535)
    read: Literal["connects", "latency"] = "connects"
    """Whether it connects, or the seconds that took."""
    within: Duration = Field(default=timedelta(seconds=3), gt=timedelta(0))
    """How long it may take to connect; keep it shorter than the condition's timeout."""

    def says(self) -> str:
        """Say the port."""
        return f"{self.read} of TCP {self.host}:{self.port}"

    async def ask(self, asking: Asking) -> Answer:
        """Connect, and hang up."""
        started, began = asking.now(), time.perf_counter()
        query = f"TCP {self.host}:{self.port}"
        try:
            async with asyncio.timeout(self.within.total_seconds()):
                _, writer = await asyncio.open_connection(self.host, self.port)
        except socket.gaierror as error:
            raise SourceError("unreachable", f"the host {self.host} is not found: {error.strerror}") from error
        except (TimeoutError, OSError) as error:
            why = error.strerror or f"no answer within {duration_text(self.within)}"
            if error.errno in NO_WAY or self.read == "latency":
                raise SourceError("unreachable", f"{query} does not connect: {why}") from error
            return Answer(False, started, f"{query}: {why}")
        took = time.perf_counter() - began
        writer.transport.abort()
        return Answer(True if self.read == "connects" else took, started, query)
