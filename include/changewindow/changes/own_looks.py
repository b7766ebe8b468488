"""Recognises in logs the command lines by which collectors look as root: they change nothing, whoever gives them.

A line counts only whole, with every argument, given by the very account on the very host. Whoever uses that account for
anything else stays visible; whoever gives the same line has looked, and changed nothing.
"""

import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass, replace

from changewindow.changes.announced import SYSTEM
from changewindow.collectors.base import CollectorBase
from changewindow.systems.collection import Collected, Entry
from changewindow.systems.command_lines import without_secrets
from changewindow.systems.hosts.machine import SUDO, Line
from changewindow.systems.measurement import Connections
from changewindow.systems.place import Place, is_elsewhere, place_behind


@dataclass(frozen=True)
class OwnLook:
    """What a collector runs as root, where and as whom."""

    collector: str
    place: Place | None
    account: str
    lines: tuple[Line, ...]

    def has(self, entry: Entry) -> bool:
        """Return whether an entry is one of these lines, as the system has recorded it."""
        is_there = entry.place is not None and not is_elsewhere(self.place, entry.place)
        return is_there and entry.by == self.account and any(_is_line(entry.command, line) for line in self.lines)


async def own_look(name: str, collector: CollectorBase, connections: Connections) -> OwnLook | None:
    """Return what a collector runs as root, if anything.

    Raises:
        UnknownConnection: there is no such connection.
    """
    if not collector.by_sudo:
        return None
    connection: str | None = getattr(collector, "connection", None)
    known = await connections(connection) if connection else None
    account = known.login if known else pwd.getpwuid(os.geteuid()).pw_name
    return OwnLook(name, place_behind("host", known), account, collector.by_sudo)


def as_looks(collected: Collected, own: Iterable[OwnLook]) -> Collected:
    """Return what was seen, with our own looks as what they are: nobody is asked who has announced them."""
    known = list(own)
    return replace(collected, entries=tuple(_as_look(entry, known) for entry in collected.entries))


def _as_look(entry: Entry, own: list[OwnLook]) -> Entry:
    if not entry.is_run or not entry.command:
        return entry
    look = next((look for look in own if look.has(entry)), None)
    what = f"{entry.what} (as the collector {look.collector} does; it only reads)" if look else ""
    return replace(entry, what=what, is_symptom=True) if look else entry


def _is_line(recorded: str, line: Line) -> bool:
    """Return whether a recorded command line is this one; a program of the system may have its path."""
    program, _, rest = recorded.partition(" ")
    given = f"{SYSTEM.sub('', program)} {rest}"
    return given in {without_secrets(" ".join(part)) for part in (line, (*SUDO, *line))}
