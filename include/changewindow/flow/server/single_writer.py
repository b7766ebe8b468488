"""Lets one writing request at a time into the API server, where Airflow's database is SQLite.

Two writing requests at once can lock Airflow 3.3.2 on SQLite for good: its action log commits on the event loop while
the other request holds the write lock. On other databases nothing is registered.
"""

import asyncio
from typing import Any

from airflow.configuration import conf
from starlette.types import ASGIApp, Receive, Scope, Send

READING = {"GET", "HEAD", "OPTIONS"}


class SingleWriter:
    """ASGI middleware with one lock for all requests that may write."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.lock = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass reading requests on; let writing ones wait for each other."""
        if scope["type"] != "http" or scope["method"] in READING:
            await self.app(scope, receive, send)
            return
        async with self.lock:
            await self.app(scope, receive, send)


def middlewares() -> list[dict[str, Any]]:
    """Return what to register with Airflow's API server."""
    if not conf.get("database", "sql_alchemy_conn", fallback="sqlite://").startswith("sqlite"):
        return []
    return [{"middleware": SingleWriter, "args": [], "kwargs": {}, "name": "one writer at a time"}]
