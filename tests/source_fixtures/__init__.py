"""Places where the example of each source finds an answer: one file per kind of source, found by its file name.

Each file defines `place(folder)`, a context manager that makes it in an empty folder, starts what it needs on free
ports of 127.0.0.1, gives an `Answers`, and ends all of it.
"""

from dataclasses import dataclass
from typing import Any

from changewindow.systems.connection import Connection

MOVED = {"host", "port", "name", "ca_file", "file", "servers"}
"""The fields that say where something is; only they may differ from the example."""


@dataclass(frozen=True)
class Answers:
    """The example of a source, and what it finds."""

    source: dict[str, Any]
    """The example, at most with other addresses."""
    good: dict[str, Any]
    """The limits that only the right value keeps, as a ticket writes them below `pass`."""
    connections: tuple[Connection, ...] = ()
    change: str | None = None
    """The change that asks."""
    readings: int = 1
    """So many readings it takes until there is a value: two, where it lies between two."""
