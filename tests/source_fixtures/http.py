"""An answer for `http`: a service that is well."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.sources.http import EXAMPLE
from changewindow.systems.connection import Connection
from source_fixtures import Answers
from support.recording_server import recording_server


@contextmanager
def place(folder: Path) -> Iterator[Answers]:
    """Say so."""
    with recording_server() as server:
        server.answers["/health"] = (200, "ok")
        yield Answers(EXAMPLE, {"equals": 200}, (Connection("example_service", "http", host=server.url),))
