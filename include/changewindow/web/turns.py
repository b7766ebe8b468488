"""Lets a few pages be made at a time: Airflow's tasks ask the same process, and must not wait until all are made."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

AT_ONCE = 4
MAKE = {"GET", "HEAD"}
"""The requests for which a page is made; of the answer to HEAD, only its head is sent."""


class Turns:
    """The pages, of which only so many are made at a time; the others wait.

    Whoever reads an answer slowly keeps nobody waiting: while it is sent, somebody else has the turn. Files need none,
    nor does what is judged, which other processes do.
    """

    def __init__(self, app: ASGIApp, at_once: int = AT_ONCE) -> None:
        self.app, self.free = app, asyncio.Semaphore(at_once)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request when it is its turn."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or scope["method"] not in MAKE or path.startswith("/static/"):
            await self.app(scope, receive, send)
            return
        has_turn: bool = await self.free.acquire()

        async def aside(message: Message) -> None:
            nonlocal has_turn
            self.free.release()
            has_turn = False
            await send(message)
            has_turn = await self.free.acquire()

        try:
            await self.app(scope, receive, aside)
        finally:
            if has_turn:
                self.free.release()
