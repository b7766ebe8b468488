"""Silences as a run of a change opens them, with a real ledger."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from changewindow.changes.silencing import Silencer, Silencing
from changewindow.ledger import events
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import Payload
from changewindow.silences.base import SilenceBase
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import SourceContext
from changewindow.systems.silence import Term
from changewindow.ticket.model import AnySilence
from changewindow.watch.shared_answers import client

LEASE = timedelta(minutes=4)


def silence(**fields: Any) -> SilenceBase:
    """Return a silence as a ticket writes it."""
    made: SilenceBase = TypeAdapter(AnySilence).validate_python(fields)
    return made


def term(mark: str = "CHG-1042 (run, silence 1)", lease: timedelta = LEASE) -> Term:
    """Return a term that begins now."""
    now = datetime.now(UTC)
    return Term(mark, "Switch the banner on.", now, now + lease)


@asynccontextmanager
async def context(*connections: Connection) -> AsyncIterator[SourceContext]:
    """Give what a silence may use; the connections are known by their names."""

    async def connect(name: str) -> Connection:
        return {known.name: known for known in connections}[name]

    async with client() as http:
        yield SourceContext(http, connect)


@dataclass
class Acting:
    """A run that silences, and what it has written."""

    ledger: Ledger
    silencing: Silencing
    connections: tuple[Connection, ...]
    lease: timedelta = LEASE
    lines: list[str] = field(default_factory=list)

    async def keep(self) -> None:
        """Open or renew."""
        async with self._silencer() as silencer:
            await silencer.keep()

    async def end(self) -> None:
        """End for good."""
        async with self._silencer() as silencer:
            await silencer.end()

    @asynccontextmanager
    async def _silencer(self) -> AsyncIterator[Silencer]:
        async with context(*self.connections) as used:
            write: Callable[[Payload], None] = self._write
            yield Silencer(self.silencing, self.ledger, used, self.lease, write, self.lines.append)

    def _write(self, payload: Payload) -> None:
        events.record(self.ledger, Event(self.silencing.change, "run/gate", datetime.now(UTC), payload))

    def kinds(self) -> list[str]:
        """Return the kinds of events about silences, oldest first."""
        history = events.history(self.ledger, self.silencing.change)
        return [str(row.kind) for row in history if "silence" in row.kind]
