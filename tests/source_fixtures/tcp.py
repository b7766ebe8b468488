"""An answer for `tcp`: a port that is open."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.sources.tcp import EXAMPLE
from source_fixtures import Answers


@contextmanager
def place(folder: Path) -> Iterator[Answers]:
    """Listen."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host, port = listening.getsockname()
        yield Answers({**EXAMPLE, "host": host, "port": port}, {"equals": True})
