"""Looks at a span with a collector, as `what-changed` does."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter

from changewindow.collectors.base import CollectorBase, CollectorContext, OurChanges
from changewindow.errors import UnknownConnection
from changewindow.kinds import AnyKind
from changewindow.systems.collection import Collected, Span
from changewindow.systems.connection import Connection
from changewindow.watch.shared_answers import client

COLLECTOR: TypeAdapter[CollectorBase] = TypeAdapter(Annotated[CollectorBase, AnyKind("collectors", "Collector")])
KEY = b"the key of the tests' fingerprints"


def collector(settings: dict[str, Any]) -> CollectorBase:
    """Return the collector of settings as a policy has them."""
    built: CollectorBase = TypeAdapter(Annotated[CollectorBase, AnyKind("collectors", "Collector")]).validate_python(
        settings
    )
    return built


def last(length: timedelta) -> Span:
    """Return the time up to now."""
    now = datetime.now(UTC)
    return Span(now - length, now)


async def looked(
    settings: dict[str, Any],
    *connections: Connection,
    folder: Path,
    span: Span | None = None,
    our_changes: OurChanges | None = None,
    kept: dict[str, Any] | None = None,
) -> Collected:
    """Return what a collector sees of a span, by default of the last hour."""

    async def connect(name: str) -> Connection:
        known = {connection.name: connection for connection in connections}
        if name not in known:
            raise UnknownConnection(name)
        return known[name]

    async with client() as http:
        context = CollectorContext(
            http, connect, folder=folder, key=KEY, our_changes=our_changes, kept=kept if kept is not None else {}
        )
        return await collector(settings).look(span or last(timedelta(hours=1)), context)
