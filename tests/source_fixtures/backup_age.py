"""An answer for `backup_age`: a file server with a backup of an hour ago."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from changewindow.sources.backup_age import EXAMPLE
from changewindow.systems.connection import Connection
from source_fixtures import Answers


class Files(SimpleHTTPRequestHandler):
    """Serves files, silently."""

    def log_message(self, *_: Any) -> None:
        """Stay silent."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the files of a folder; gives the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def backup(folder: Path, name: str, *, age: float, content: str = "dump") -> None:
    """Write a backup that is so many seconds old."""
    (folder / name).write_text(content)
    os.utime(folder / name, (time.time() - age,) * 2)


@contextmanager
def place(folder: Path) -> Iterator[Answers]:
    """Serve the backup."""
    (folder / "orders").mkdir()
    backup(folder / "orders", "latest.dump", age=3600)
    with served(folder) as url:
        yield Answers(EXAMPLE, {"between": [3590, 7000]}, (Connection("example_backups", "http", host=url),))
