"""A world for `journal`: a folder of journal files, to which sudo logs."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from changewindow.collectors.journal import EXAMPLE
from collector_fixtures import Made, World
from servers.journals import Entry, write

PIECE = 900
"""Characters after which sudo goes on in another entry."""


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Make it, with an entry of an hour ago."""
    numbers = count()

    def log(*entries: Entry) -> None:
        write(folder / f"{next(numbers)}.journal", *entries)

    def change() -> Made:
        log(by_sudo("dora : TTY=pts/0 ; PWD=/root ; USER=root ; COMMAND=/usr/bin/vi /etc/hosts"))
        return Made(f"{socket.gethostname()}:sudo", "dora", "ran as root: /usr/bin/vi /etc/hosts")

    def hostile(text: str) -> None:
        pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
        first = by_sudo(f"dora : TTY=pts/0 ; PWD=/root ; USER=root ; COMMAND=/bin/echo {pieces[0]}")
        log(first, *(by_sudo(f"dora : (command continued) {piece}") for piece in pieces[1:]))

    log(Entry(datetime.now(UTC) - timedelta(hours=1), "started"))
    collector = {**EXAMPLE, "connection": None, "file": f"{folder}/*.journal", "within": "30s"}
    assert shutil.which("journalctl")
    yield World(collector, change, hostile, {**collector, "file": str(folder / "gone.journal")})


def by_sudo(message: str, *, at: datetime | None = None, program: str = "/usr/bin/sudo", process: int = 7) -> Entry:
    """Return an entry as sudo logs it."""
    fields = {"_COMM": "sudo", "_EXE": program, "_UID": "1000", "_PID": str(process)}
    return Entry(at or datetime.now(UTC), message, unit="session-3.scope", fields=fields)
