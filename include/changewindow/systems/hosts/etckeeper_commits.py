"""Reads the commits of etckeeper, as git prints those of a folder, in the order in which they were made."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from changewindow.systems.git.history import time_of
from changewindow.systems.hosts.log_order import in_order

COMMITS = 1000
LOG = (
    *("log", f"--max-count={COMMITS}", "-z", "--numstat", "--no-renames", "--no-ext-diff", "--no-textconv"),
    "--format=%x1e%H%x00%ct%x00%an%x00%ae%x00%s",
)


BEGIN = re.compile(r"(?:^|(?<=[\x00\n]))\x1e(?=[0-9a-f]{40,64}\x00[0-9]+\x00)")
"""How a commit begins: the sign alone may stand in a subject too, and would hide the commit."""


@dataclass(frozen=True)
class Commit:
    """A commit with its files."""

    id: str
    at: datetime
    author: str
    subject: str
    files: tuple[tuple[str, str], ...]
    """Each path, and how many lines were added and taken away."""
    earliest: datetime | None = None
    """When it was made at the earliest, where it says another time than its place in the history."""
    dated: str = ""
    """That other time."""


def commits_in(printed: bytes) -> tuple[list[Commit], int]:
    """Return the commits that git has printed, and how many cannot be read."""
    parts = [part.split("\x00") for part in BEGIN.split(printed.decode(errors="surrogateescape"))[1:]]
    read = [part for part in parts if len(part) >= 5 and part[1].isdecimal()]
    return [_commit(part) for part in read], len(parts) - len(read)


def in_their_order(commits: Sequence[Commit], now: datetime) -> list[Commit]:
    """Return commits with the times that their order allows: whoever commits chooses the date."""
    moments = in_order(((commit.at, commit.at) for commit in reversed(commits)), now)
    placed = zip(commits, reversed(moments), strict=True)
    return [
        replace(commit, at=moment.at, earliest=moment.earliest, dated=f" (dated {commit.at:%F %T} UTC)")
        if moment and moment.dated
        else commit
        for commit, moment in placed
    ]


def _commit(part: list[str]) -> Commit:
    commit, seconds, name, mail, subject, *changes = part
    lines = [change.lstrip("\n").split("\t", 2) for change in changes]
    files = tuple((line[2], f"+{line[0]} -{line[1]}") for line in lines if len(line) > 2)
    return Commit(commit, time_of(seconds), f"{name} <{mail}>", subject, files)
