"""Tells when a reply was made: one from a cache is older than it looks."""

from datetime import datetime, timedelta

import httpx

from changewindow.systems.measurement import SourceError

OLDEST = timedelta(minutes=2)
"""A reply that a cache has kept for longer says nothing about a service of now."""
LONGEST = 9
"""Digits of an age; more would be no age."""


def age(reply: httpx.Response) -> timedelta:
    """Return how long ago a server made a reply: a cache that answers in its place says so (RFC 9111, 5.1)."""
    seconds = reply.headers.get("age", "")
    return timedelta(seconds=int(seconds[:LONGEST]) if seconds.isascii() and seconds.isdecimal() else 0)


def made(reply: httpx.Response, asked: datetime) -> datetime:
    """Return when a reply was made that was asked for at a moment.

    Raises:
        SourceError: `stale`, a cache has kept it too long.
    """
    if age(reply) > OLDEST:
        fault = f"{reply.url} was answered by a cache, which has kept the reply for {age(reply).total_seconds():.0f} s"
        raise SourceError("stale", f"{fault}. Let the connection lead to the service itself")
    return asked - age(reply)
