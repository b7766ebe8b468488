"""An answer for `alertmanager`: two alerts of the service fire at a real Alertmanager, and one of another."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.sources.alertmanager import EXAMPLE
from changewindow.systems.connection import Connection
from servers.alertmanager import running
from source_fixtures import Answers


@contextmanager
def place(folder: Path) -> Iterator[Answers]:
    """Let them fire."""
    with running(folder) as server:
        server.fire(alertname="Watchdog", severity="none")
        server.fire(alertname="Errors", service="orders", severity="page")
        server.fire(alertname="Latency", service="orders", severity="critical")
        server.fire(alertname="Errors", service="billing", severity="page")
        yield Answers(EXAMPLE, {"equals": 2}, (Connection("example_alertmanager", "http", host=server.url),))
