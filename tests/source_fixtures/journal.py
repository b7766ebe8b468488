"""An answer for `journal`: a journal file with one error of the unit, beside other entries."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from changewindow.sources.journal import EXAMPLE
from servers.journals import Entry, write
from source_fixtures import Answers


@contextmanager
def place(folder: Path) -> Iterator[Answers]:
    """Write it."""
    now = datetime.now(UTC)
    entries = [
        Entry(now - timedelta(hours=1), "pool exhausted", 3),
        Entry(now - timedelta(minutes=5), "pool exhausted", 3),
        Entry(now - timedelta(minutes=4), "all is well", 6),
        Entry(now - timedelta(minutes=3), "pool exhausted", 3, "billing.service"),
    ]
    yield Answers({**EXAMPLE, "file": str(write(folder / "it.journal", *entries))}, {"equals": 1})
