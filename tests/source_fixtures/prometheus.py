"""An answer for `prometheus`: one of a hundred requests fails, as a real Prometheus has scraped it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.cli.airflow_api import wait_for
from changewindow.sources.prometheus import EXAMPLE
from changewindow.systems.connection import Connection
from servers.prometheus import running
from source_fixtures import Answers


@contextmanager
def place(folder: Path) -> Iterator[Answers]:
    """Let both counters grow, and wait for two scrapes."""
    with running(folder, http_requests_total__200=99.0, http_requests_total__503=1.0) as made:
        wait_for(lambda: made.value(str(EXAMPLE["query"])) is not None, "two scrapes", 30, 0.05)
        known = Connection("example_prometheus", "http", host=made.url)
        yield Answers(EXAMPLE, {"between": [0.009, 0.011]}, (known,))
