"""Silences as a run of a change opens them, with a real ledger."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

from pydantic import PrivateAttr, TypeAdapter

from changewindow.changes.silencing import Silencer, Silencing, known
from changewindow.errors import LedgerDown
from changewindow.ledger import events
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import Payload
from changewindow.silences.base import SilenceBase
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import SourceContext
from changewindow.systems.silence import Held, Term
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
            recorded = partial(known, self.ledger, self.silencing)
            yield Silencer(self.silencing, recorded, used, self.lease, self._write, self._log)

    def _log(self, _: int, line: str) -> None:
        self.lines.append(line)

    def _write(self, payload: Payload) -> None:
        with suppress(LedgerDown):
            events.record(self.ledger, Event(self.silencing.change, "run/gate", datetime.now(UTC), payload))

    def kinds(self) -> list[str]:
        """Return the kinds of events about silences, oldest first."""
        history = events.history(self.ledger, self.silencing.change)
        return [str(row.kind) for row in history if "silence" in row.kind]


@dataclass
class Product:
    """An in-memory twin of a product that silences, and what a test lets go wrong with it."""

    silences: dict[str, Held] = field(default_factory=dict)
    acts: list[str] = field(default_factory=list)
    error: Exception | None = None
    meanwhile: Callable[[], None] = lambda: None
    """What happens while a silence is opened or renewed."""
    before_end: Callable[[], None] = lambda: None
    hangs: bool = False

    @property
    def lasting(self) -> list[Held]:
        """Return what is not over."""
        return [held for held in self.silences.values() if not held.is_over]

    async def answers(self, act: str) -> None:
        """Take note of an act, and answer it or not."""
        self.acts.append(act)
        if self.hangs:
            await asyncio.Event().wait()
        if self.error:
            raise self.error


class Twin(SilenceBase):
    """A silence in a product that lives in memory."""

    kind: Literal["twin"] = "twin"
    _product: Product = PrivateAttr()

    @classmethod
    def at(cls, product: Product) -> "Twin":
        """Return a silence there."""
        made = cls(connection="twin")
        made._product = product
        return made

    def description(self) -> str:
        """Return what is silenced."""
        return "alerts of the twin"

    async def held(self, context: SourceContext, term: Term) -> list[Held]:
        """Return those of the mark."""
        await self._product.answers("look")
        return [held for held in self._product.silences.values() if term.is_in(held.comment)]

    async def open(self, context: SourceContext, term: Term) -> str:
        """Make one."""
        await self._product.answers("open")
        name = f"silence-{len(self._product.silences)}"
        self._product.silences[name] = Held(name, "", term.until, term.comment)
        self._product.meanwhile()
        return name

    async def renew(self, context: SourceContext, term: Term, held: Held) -> str:
        """Make it last longer."""
        await self._product.answers("renew")
        self._product.silences[held.id] = replace(held, ends=term.until, comment=term.comment)
        self._product.meanwhile()
        return held.id

    async def end(self, context: SourceContext, held: Held) -> None:
        """End it."""
        await self._product.answers("end")
        self._product.before_end()
        self._product.silences[held.id] = replace(held, ends=datetime.now(UTC), is_over=True)
