"""Lets one writing request at a time into the API server, where Airflow's database is SQLite.

Two writing requests at once can lock Airflow 3.3.2 on SQLite for good: its action log commits on the event loop while
the other request holds the write lock. On other databases nobody waits.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from airflow.configuration import conf

from changewindow.flow.server.asked import Refused

WAIT = 30
"""Seconds that a request waits for its turn."""
HOLD = 30
"""Seconds after which the next request may begin, although the one before it has not ended."""


@dataclass
class SingleWriter:
    """One turn to write. People queue for it among themselves first, so that a task waits for one of them at most."""

    wait: float = WAIT
    hold: float = HOLD
    people: asyncio.Lock = field(default_factory=asyncio.Lock)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def write(self, call: Callable[[], Coroutine[Any, Any, None]], *, is_task: bool) -> None:
        """Make the call while nobody else writes.

        Raises:
            Refused: the others take too long.
        """
        async with AsyncExitStack() as held:
            await self._wait(held, is_task=is_task)
            writing = asyncio.ensure_future(call())
            try:
                await asyncio.wait({writing}, timeout=self.hold)
            except asyncio.CancelledError:
                writing.cancel()
                raise
        await writing

    async def _wait(self, held: AsyncExitStack, *, is_task: bool) -> None:
        try:
            async with asyncio.timeout(self.wait):
                for lock in (self.turn,) if is_task else (self.people, self.turn):
                    await held.enter_async_context(lock)
        except TimeoutError as error:
            raise Refused(503, f"Others have been writing for {self.wait} s. Try again.") from error


def for_this_database() -> SingleWriter | None:
    """Return what orders the writes, where that is needed."""
    url = conf.get("database", "sql_alchemy_conn", fallback="sqlite://")
    return SingleWriter() if url.startswith("sqlite") else None
