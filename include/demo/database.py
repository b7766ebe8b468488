"""A tiny TCP database in which connections are expensive: a limit, a slow greeting, a slow clean-up."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

HOST = "127.0.0.1"
READY = "READY"
REFUSAL = "FATAL too many connections"


@dataclass(frozen=True)
class DatabaseCosts:
    """What connections and queries cost, times in seconds."""

    max_connections: int = 40
    handshake: float = 0.040
    query: float = 0.015
    # A slot becomes free only this long after its connection is closed, as a server process takes time to end.
    cleanup: float = 3.0


class Database(Collector):
    """The server, on an event loop in a thread of its own.

    It speaks lines: a new connection gets `READY` or `FATAL too many connections`, `QUERY n` gets `ROW n`.
    """

    def __init__(self, port: int = 0, costs: DatabaseCosts | None = None) -> None:
        """Bind the port, or a free one for 0.

        Raises:
            OSError: the port is taken.
        """
        self.costs = costs or DatabaseCosts()
        self.slots_taken = 0
        self._listener = socket.create_server((HOST, port))
        self.address: tuple[str, int] = (HOST, self._listener.getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="database", daemon=True)

    def start(self) -> None:
        """Accept connections from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Close every connection, free the port."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the slots taken, and their total."""
        yield GaugeMetricFamily("database_connections", "Slots taken, also by clean-up.", self.slots_taken)
        yield GaugeMetricFamily("database_max_connections", "Slots in total.", self.costs.max_connections)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._listen())

    async def _listen(self) -> None:
        server = await asyncio.start_server(self._welcome, sock=self._listener)
        await self._ended.wait()
        server.close()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.slots_taken >= self.costs.max_connections:
                await _say(writer, REFUSAL)
            else:
                await self._occupy_slot(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # The client is gone, or the database is stopping: there is nobody to answer.
        finally:
            writer.close()

    async def _occupy_slot(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.slots_taken += 1
        try:
            await asyncio.sleep(self.costs.handshake)
            await _say(writer, READY)
            async for line in reader:
                await _say(writer, await self._answer(line.decode(errors="replace").split()))
        finally:
            self._loop.call_later(self.costs.cleanup, self._free_slot)

    async def _answer(self, words: list[str]) -> str:
        match words:
            case ["QUERY", number]:
                await asyncio.sleep(self.costs.query)
                return f"ROW {number}"
        return "ERROR expected: QUERY <number>"

    def _free_slot(self) -> None:
        self.slots_taken -= 1


async def _say(writer: asyncio.StreamWriter, line: str) -> None:
    writer.write(f"{line}\n".encode())
    await writer.drain()
