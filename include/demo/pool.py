"""A connection pool after Go's database/sql: a released connection beyond `max_idle` is closed."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from pydantic import BaseModel, ConfigDict, Field

from demo.database import READY

# How long a refused caller waits before it asks the database again.
REFUSED_PAUSE = 0.1
# Only a database that hangs reaches these; a busy machine must not.
QUERY_TIMEOUT = 10.0
WARM_TIMEOUT = 10.0


class PoolSettings(BaseModel):
    """What `pool.toml` may say."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    max_open: int = Field(ge=1)
    max_idle: int = Field(ge=0)
    acquire_timeout_ms: int = Field(ge=1)


class RefusedError(ConnectionError):
    """The database answered, and does not want this connection."""


class NoConnectionError(Exception):
    """No connection came free in time."""

    def __init__(self, waited: float, reason: str) -> None:
        """Say how many seconds the caller waited, and for what."""
        super().__init__(f"No database connection within {waited * 1000:.0f} ms: {reason}.")


class Link(Protocol):
    """What the pool must be able to do with a connection."""

    def query(self, number: int) -> str:
        """Return the row of this number."""

    def close(self) -> None:
        """Give the connection back to the operating system."""


class Connection:
    """One greeted connection to the database."""

    def __init__(self, address: tuple[str, int], timeout: float) -> None:
        """Connect, wait for the greeting.

        Raises:
            RefusedError: the database has no slot left.
            OSError: the database cannot be reached, or not in time.
        """
        self._socket = socket.create_connection(address, timeout)
        self._lines = self._socket.makefile("rb")
        try:
            greeting = self._read()
            if greeting != READY:
                raise RefusedError(greeting)
        except OSError:
            self.close()
            raise
        self._socket.settimeout(QUERY_TIMEOUT)

    def query(self, number: int) -> str:
        """Return the row of this number."""
        self._socket.sendall(f"QUERY {number}\n".encode())
        return self._read()

    def close(self) -> None:
        """Give the connection back to the operating system."""
        self._lines.close()
        self._socket.close()

    def _read(self) -> str:
        line = self._lines.readline()
        if not line:
            message = "The database closed the connection."
            raise ConnectionResetError(message)
        return line.decode().rstrip("\n")


@dataclass(frozen=True)
class PoolNumbers:
    """How the pool stands: connections lent and kept now, dialled and closed since it began."""

    in_use: int
    idle: int
    opened: int
    closed: int


class Pool:
    """Lends connections, and keeps at most `max_idle` of them for the next caller."""

    def __init__(self, dial: Callable[[float], Link], settings: PoolSettings) -> None:
        """Start empty; `dial` gets the seconds it may take."""
        self.settings = settings
        self._dial = dial
        self._idle: list[Link] = []
        self._changed = threading.Condition()
        self._open = 0  # lent, kept, and being dialled
        self._opened = 0
        self._closed = 0
        self._waiting = 0
        self._is_draining = False

    def warm(self) -> None:
        """Dial up to `max_idle` connections ahead of need, or as many as the database gives."""
        links: list[Link] = []
        try:
            while len(links) < min(self.settings.max_idle, self.settings.max_open):
                links.append(self._acquire(WARM_TIMEOUT, asks_again=False))
        except NoConnectionError:
            pass  # Best effort: callers dial what is missing.
        for link in links:
            self._release(link)

    @contextmanager
    def connection(self, timeout: float | None = None) -> Iterator[Link]:
        """Lend a connection; one on which the caller fails is closed.

        Raises:
            NoConnectionError: none came free within `timeout`, by default that of the settings.
        """
        seconds = self.settings.acquire_timeout_ms / 1000 if timeout is None else timeout
        link = self._acquire(seconds, asks_again=True)
        try:
            yield link
        except BaseException:
            self._close(link)
            raise
        self._release(link)

    def numbers(self) -> PoolNumbers:
        """Return how the pool stands."""
        with self._changed:
            idle = len(self._idle)
            return PoolNumbers(self._open - idle, idle, self._opened, self._closed)

    def collect(self) -> Iterator[Metric]:
        """Yield how the pool stands, for Prometheus."""
        numbers = self.numbers()
        connections = GaugeMetricFamily("pool_connections", "Connections of the pool.", labels=["state"])
        connections.add_metric(["in_use"], numbers.in_use)
        connections.add_metric(["idle"], numbers.idle)
        yield connections
        yield GaugeMetricFamily("pool_max_open", "Limit of open connections.", self.settings.max_open)
        yield GaugeMetricFamily("pool_max_idle", "Limit of idle connections.", self.settings.max_idle)
        yield CounterMetricFamily("pool_connections_opened", "Connections dialled by this pool.", numbers.opened)
        yield CounterMetricFamily("pool_connections_closed", "Connections closed by this pool.", numbers.closed)

    def drain(self) -> None:
        """Keep nothing from now on; callers who still hold the pool are served."""
        with self._changed:
            self._is_draining = True
            idle, self._idle = self._idle, []
        for link in idle:
            self._close(link)

    def _acquire(self, seconds: float, *, asks_again: bool) -> Link:
        deadline, reason = time.monotonic() + seconds, ""
        while True:
            kept = self._take_idle_or_reserve(deadline, seconds)
            if kept is not None:
                return kept
            try:
                return self._open_reserved(deadline)
            except OSError as error:
                # What the database has said tells more than that the last attempt had no time left.
                reason = reason if reason and isinstance(error, TimeoutError) else str(error)
                pause = min(REFUSED_PAUSE, deadline - time.monotonic())
                if pause <= 0 or not asks_again:
                    raise NoConnectionError(seconds, reason) from error
            # Not a wait on the condition: like Go, a release looks only at callers held back by max_open.
            time.sleep(pause)

    def _take_idle_or_reserve(self, deadline: float, seconds: float) -> Link | None:
        with self._changed:
            self._waiting += 1
            is_free = self._changed.wait_for(
                lambda: self._idle or self._open < self.settings.max_open, deadline - time.monotonic()
            )
            self._waiting -= 1
            if not is_free:
                raise NoConnectionError(seconds, f"all {self.settings.max_open} of max_open are in use")
            if self._idle:
                return self._idle.pop()
            self._open += 1
            return None

    def _open_reserved(self, deadline: float) -> Link:
        try:
            link = self._dial(max(0.001, deadline - time.monotonic()))
        except OSError:
            self._give_up_place()
            raise
        with self._changed:
            self._opened += 1
        return link

    def _release(self, link: Link) -> None:
        with self._changed:
            room = max(self.settings.max_idle, self._waiting)
            if not self._is_draining and len(self._idle) < room:
                self._idle.append(link)
                self._changed.notify()
                return
        self._close(link)

    def _close(self, link: Link) -> None:
        link.close()
        with self._changed:
            self._closed += 1
        self._give_up_place()

    def _give_up_place(self) -> None:
        with self._changed:
            self._open -= 1
            self._changed.notify()
