"""An answer for `openmetrics`: one of a hundred requests fails between two scrapes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.sources.openmetrics import EXAMPLE
from changewindow.systems.connection import Connection
from servers.prometheus import Metrics
from source_fixtures import Answers


@contextmanager
def place(folder: Path) -> Iterator[Answers]:
    """Let both counters grow."""
    metrics = Metrics({'http_requests_total{status="200"}': 99.0, 'http_requests_total{status="503"}': 1.0})
    metrics.start()
    try:
        known = Connection("example_service", "http", host=f"http://127.0.0.1:{metrics.port}")
        yield Answers(EXAMPLE, {"between": [0.009, 0.011]}, (known,), readings=2)
    finally:
        metrics.stop()
