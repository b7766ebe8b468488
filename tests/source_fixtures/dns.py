"""An answer for `dns`: two BIND servers that have the new value."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.cli.airflow_api import wait_for
from changewindow.sources.dns import EXAMPLE
from servers.bind import PRIMARY, SECONDARY, bind
from source_fixtures import Answers


@contextmanager
def place(folder: Path) -> Iterator[Answers]:
    """Give it to the one, and wait until the other has it."""
    with bind(folder) as made:
        made.set("api", 300, "A", "192.0.2.20")
        wait_for(lambda: "192.0.2.20" in made.ask("api.example.com", "A", SECONDARY)[0], "the transfer", 30, 0.05)
        servers = [f"{address}:{made.port}" for address in (PRIMARY, SECONDARY)]
        yield Answers({**EXAMPLE, "servers": servers}, {"equals": 1})
