"""An answer for `backup_age`: a file server with a backup of an hour ago."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

from changewindow.sources.backup_age import EXAMPLE
from changewindow.systems.connection import Connection
from source_fixtures import Answers
from support.recording_server import Reply, Request, recording_server


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the files of a folder; gives the address."""

    def file(request: Request) -> Reply:
        path = folder / request.path.lstrip("/")
        if not path.is_file():
            return Reply(404)
        return Reply(200, path.read_bytes(), {"Last-Modified": formatdate(path.stat().st_mtime, usegmt=True)})

    with recording_server(file) as server:
        yield server.url


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
