"""An answer for `tls`: a server whose certificate is good for thirty days."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.sources.tls import EXAMPLE
from source_fixtures import Answers
from support.certificates import certificate
from support.recording_server import recording_server


@contextmanager
def place(folder: Path) -> Iterator[Answers]:
    """Show it."""
    name = str(EXAMPLE["host"])
    signed = certificate("api", names=(name,), days=30).write(folder / "server.pem")
    with recording_server(tls=signed) as server:
        where = {"host": "127.0.0.1", "port": server.port, "name": name}
        yield Answers({**EXAMPLE, **where}, {"between": [29.9, 30]})
