"""Asks a source as a condition of a change does."""

import asyncio
from datetime import datetime
from typing import Any

from changewindow.ledger import queries
from changewindow.ledger.database import Ledger
from changewindow.settings import LEDGER_CONNECTION
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import Past, SourceContext
from changewindow.watch.baseline import Seen
from changewindow.watch.condition import Condition
from changewindow.watch.reading import Reading, take
from changewindow.watch.shared_answers import client


async def asked(
    source: dict[str, Any],
    *connections: Connection,
    since: datetime | None = None,
    change: str | None = None,
    kept: dict[str, Any] | None = None,
    good: dict[str, Any] | None = None,
    answer_within: str = "5s",
) -> Reading:
    """Return the reading of a source, good when it is 1; the connections are known by their names."""

    async def connect(name: str) -> Connection:
        return {known.name: known for known in connections}[name]

    async def past(change: str, environment: str) -> Past:
        url = (await connect(LEDGER_CONNECTION)).database_url
        return await asyncio.to_thread(lambda: queries.past(Ledger(url), change, environment))

    condition = {"name": "it", "source": source, "pass": good or {"equals": 1}, "timeout": answer_within}
    async with client() as http:
        context = SourceContext(
            http, connect, since=since, change=change, past=past, kept=kept if kept is not None else {}
        )
        for _ in range(10):
            reading = await take(Condition.model_validate(condition), context, Seen(), newer_than=since)
            if reading.cause != "late":  # that says something about the machine of the tests
                break
        return reading
