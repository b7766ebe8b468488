"""Keeps what an embedded Airflow writes from other users of the machine."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO


@contextmanager
def private(folder: Path) -> Iterator[None]:
    """Let whatever is made meanwhile, also by programs that are started, belong to this user alone.

    What an earlier version has left open to others in the folder is closed to them.
    """
    before = os.umask(OTHERS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in (folder, *folder.rglob("*")):
            with suppress(FileNotFoundError):
                close_to_others(path)
        yield
    finally:
        os.umask(before)


def close_to_others(path: Path) -> None:
    """Take a file's or folder's permissions from everybody but its owner; what a link leads to stays as it is."""
    mode = path.lstat().st_mode
    if not stat.S_ISLNK(mode) and mode & OTHERS:
        path.chmod(stat.S_IMODE(mode) & ~OTHERS)
