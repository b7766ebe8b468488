"""Asks the database behind a connection for one value."""

import asyncio
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from changewindow.documents.text import shown
from changewindow.systems.connection import Connection
from changewindow.systems.databases.replicas import age_of
from changewindow.systems.databases.transactions import PATIENCE, DatabaseFailed, Limits, execute, reading
from changewindow.systems.measurement import SourceContext, SourceError

if TYPE_CHECKING:
    from sqlalchemy import Connection as DatabaseConnection

ROWS = re.compile(r"\s*(select|values|with)\b", re.IGNORECASE)
"""What can be read row by row (PostgreSQL), however many there are."""
LOCK = timedelta(seconds=2)
"""How long a question may wait for a lock."""


@dataclass(frozen=True)
class Answered:
    """The value that a query returned, and how old the data is from which it was read."""

    connection: str
    value: Any
    age: timedelta | None
    """None where a replica does not tell."""

    @property
    def note(self) -> str:
        """Return what a person wants to know of a replica."""
        return f"{self.connection} leads to a replica, {self.age.total_seconds():.1f} s behind" if self.age else ""

    def at(self, asked: datetime, context: SourceContext) -> datetime:
        """Return when the value was true, of a question of some moment.

        Raises:
            SourceError: `stale`, a replica does not tell, and nobody knows whether that was after the change.
        """
        if self.age is not None:
            return asked - self.age
        if context.since is None:
            return asked
        fault = f"{self.connection} leads to a replica that does not tell how old its data is"
        raise SourceError("stale", f"{fault}: it may be from before the change. Name the primary")


async def one_value(connection: Connection, query: str, within: timedelta) -> Answered:
    """Return the one value that a query returns, read in a transaction that is rolled back; never blocks the loop.

    Raises:
        SourceError: there is none, or there are several.
    """
    return await asyncio.to_thread(_one_value, connection, query, Limits(min(LOCK, within), within))


@contextmanager
def _cut_after(opened: "DatabaseConnection", limits: Limits) -> Iterator[None]:
    """Cut the line to a PostgreSQL that does not even say that the time is over: waiting for it would never end."""
    raw = opened.connection.driver_connection
    if opened.dialect.name != "postgresql" or limits.statement is None or raw is None:
        yield
        return
    with socket.socket(fileno=os.dup(raw.fileno())) as line:

        def cut() -> None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(limits.statement.total_seconds() + PATIENCE, cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _one_value(connection: Connection, query: str, limits: Limits) -> Answered:
    try:
        with reading(connection, limits) as opened, _cut_after(opened, limits):
            age = age_of(opened)  # asked first: what is read then is not older
            result = execute(opened, query, stream_results=bool(ROWS.match(query)))
            rows = result.fetchmany(2) if result.returns_rows else None
    except DatabaseFailed as failed:
        raise SourceError("invalid" if failed.is_answer else "unreachable", str(failed)) from failed
    if rows is None:
        raise SourceError("invalid", f"{shown(query)} is no query: it returns no rows; write one SELECT")
    if not rows:
        raise SourceError("no_data", f"{shown(query)} at {connection.name} returned no row")
    if len(rows) > 1 or len(rows[0]) != 1:
        what = "several rows" if len(rows) > 1 else f"{len(rows[0])} columns"
        raise SourceError("invalid", f"{shown(query)} at {connection.name} returned {what}, one value was expected")
    if rows[0][0] is None:
        raise SourceError("no_data", f"{shown(query)} at {connection.name} returned NULL")
    return Answered(connection.name, rows[0][0], age)
