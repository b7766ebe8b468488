"""A world for `changes`: a ledger in which changes act."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from changewindow.changes.our_changes import record
from changewindow.collectors.changes import EXAMPLE
from changewindow.systems.collection import Collected, Span
from collector_fixtures import Made, World
from support.acted import acted
from support.ledgers import on_sqlite


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Make it, empty."""
    ledger = on_sqlite(folder)

    async def our_changes(span: Span) -> Collected:
        return record(ledger, span).collected

    def now() -> datetime:
        return datetime.now(UTC) - timedelta(seconds=1)

    yield World(
        EXAMPLE,
        lambda: Made(acted(ledger, now()), "alice, approved as CHG-", "apply_1 applied step 1 'Switch it on'"),
        lambda text: print(acted(ledger, now(), name=text)),
        EXAMPLE,
        our_changes=our_changes,
    )
