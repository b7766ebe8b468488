"""Lets changes start one after the other, each once there is room to watch it and to roll it back at once."""

import asyncio
import logging

from changewindow.changes.room import Room, room
from changewindow.errors import ChangeError
from changewindow.flow.airflow_connection import ledger_in_trigger

log = logging.getLogger(__name__)
EVERY = 1.0
"""Seconds between two questions to the ledger, and between two changes that go on: the first is counted by then."""


class Queue:
    """The changes of one event loop that wait for room; who came first goes first."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()

    async def pass_on(self) -> None:
        """Wait for a turn, and then until there is room; a ledger that is down keeps nobody waiting here."""
        async with self.turn:
            is_free = False
            while not is_free:
                is_free = (await self._room()).is_free
                await asyncio.sleep(EVERY)

    async def _room(self) -> Room:
        try:
            return await asyncio.to_thread(room, await ledger_in_trigger())
        except ChangeError as error:
            log.warning("whether there is room is not known, so it goes on: %s", error)
            return Room(0)
