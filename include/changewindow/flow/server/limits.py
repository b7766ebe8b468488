"""Reads the body of a request within limits of bytes and time."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.types import Message, Receive

from changewindow.flow.server.asked import Refused

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Limit:
    """How much may be sent, and in how many seconds."""

    bytes: int
    seconds: float


LOGIN = Limit(64 * 1024, 10)
"""A stranger's name and password."""
OURS = Limit(2 * MEBIBYTE, 10)
"""A person's request about DAGs of ours, or to our pages; the largest is one with a ticket."""
OTHERS = Limit(64 * MEBIBYTE, 30)
"""A person's request about other DAGs, and what a task hands over."""
MOST_CHANGES = 100
"""Changes that one request may name."""


async def body_of(receive: Receive, limit: Limit) -> bytes:
    """Return the body of a request.

    Raises:
        Refused: it is too large, takes too long, or will never be complete.
    """
    body, length = bytearray(), 0
    try:
        async with asyncio.timeout(limit.seconds):
            async for part in _parts(receive):
                length += len(part)
                body += part if length <= limit.bytes else b""  # let go: who still sends does not hear the answer
    except TimeoutError as error:
        if length <= limit.bytes:
            late = f"The request was not complete after {limit.seconds:g} s. Send it again, whole."
            raise Refused(408, late) from error
    if length > limit.bytes:
        raise Refused(413, f"The request is larger than the {limit.bytes} bytes that are read here. Send less.")
    return bytes(body)


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return what gives the application a body that was read already, and then whatever comes."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return left.pop() if left else await receive()

    return receiving


async def _parts(receive: Receive) -> AsyncIterator[bytes]:
    """Return a body as it comes."""
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, "The request was cut off. Send it again, whole.")
        yield message.get("body", b"")
        more = message.get("more_body", False)
