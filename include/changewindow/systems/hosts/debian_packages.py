"""Reads what dpkg and apt have logged: dpkg.log has every package, apt's history.log the command and who gave it."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Literal

from changewindow.systems.hosts.log_order import Times, in_order

ACTIONS = {"install": "installed", "upgrade": "upgraded", "remove": "removed", "purge": "purged"}
NONE = "<none>"
CHANGED = ("Install", "Upgrade", "Downgrade", "Reinstall", "Remove", "Purge")
NAME = re.compile(r"([^\s,:()]+):[^\s,:()]+ \(")
USER = re.compile(r"^(.*) \([0-9]+\)$")
LATEST = timedelta(seconds=2)
"""How much later than the end of its command dpkg may log."""
Clock = Callable[[datetime], datetime]
"""Makes a time without zone, as the host wrote it, one of UTC."""


@dataclass(frozen=True)
class PackageChange:
    """A package that was changed."""

    at: datetime
    package: str
    architecture: str
    action: str
    before: str
    after: str
    earliest: datetime | None = None
    """When it happened at the earliest, where the log does not tell when it was."""
    dated: datetime | None = None
    """What the log says, where that cannot be."""


@dataclass(frozen=True)
class Command:
    """A run of apt."""

    began: datetime
    ended: datetime
    line: str
    by: str
    """Who has used sudo; empty where nobody did."""
    packages: frozenset[str]


def package_changes(lines: Sequence[str], clock: Clock, now: datetime) -> Iterator[PackageChange]:
    """Yield what dpkg.log has of packages, in the order of the log; a line that is damaged is passed over."""
    for line, moment in zip(lines, in_order((_times(line, clock) for line in lines), now), strict=True):
        parts = line.split(" ")
        if len(parts) == 6 and parts[2] in ACTIONS and moment:
            before, after = ("" if version == NONE else version for version in parts[4:])
            action = ACTIONS[parts[2]]
            if action == "upgraded" and order(after, before) < 0:
                action = "downgraded"
            elif action == "upgraded" and after == before:
                action = "reinstalled"
            elif action in {"removed", "purged"}:
                after = ""
            package, _, architecture = parts[3].partition(":")
            change = PackageChange(moment.at, package, architecture, action, before, after)
            yield replace(change, earliest=moment.earliest, dated=moment.dated)


def _times(line: str, clock: Clock) -> Times | None:
    """Return the times that a line may mean; dpkg writes that of the zone of whoever calls it."""
    first, second = time_at(line, clock), time_at(line, clock, fold=1)
    return (first, max(first, second)) if first and second else None


def commands(lines: Sequence[str], clock: Clock) -> Iterator[Command]:
    """Yield what apt's history.log has of its runs."""
    for stanza in "\n".join(lines).split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.split("\n") if ": " in line)
        began = time_at(fields.get("Start-Date", "").replace("  ", " "), clock)
        ended = time_at(fields.get("End-Date", "").replace("  ", " "), clock, fold=1)
        if began:
            by = USER.sub(r"\1", fields.get("Requested-By", ""))
            named = frozenset(name for field in CHANGED for name in NAME.findall(fields.get(field, "")))
            yield Command(began, ended or began + timedelta(hours=1), fields.get("Commandline", ""), by, named)


def command_of(change: PackageChange, runs: Sequence[Command]) -> Command | None:
    """Return the newest run of apt that names a package, and in whose time it was changed."""
    at = change.dated or change.at
    within = [run for run in runs if run.began <= at <= run.ended + LATEST and change.package in run.packages]
    return max(reversed(within), key=lambda run: run.began, default=None)  # of one second, the last


def time_at(line: str, clock: Clock, fold: int = 0) -> datetime | None:
    """Return the time with which a line begins; with a fold, the second one that it may mean."""
    try:
        local = datetime.strptime(line[:19], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007  the clock knows the zone
        return clock(local.replace(fold=fold))
    except (ValueError, OverflowError):
        return None


def order(one: str, other: str) -> Literal[-1, 0, 1]:
    """Return whether a version is lower (-1) than another one, the same (0) or higher (1), as Debian sorts them."""
    keys = [_key(version) for version in (one, other)]
    return 0 if keys[0] == keys[1] else -1 if keys[0] < keys[1] else 1


def _key(version: str) -> tuple[int, list[tuple[list[int], int]], list[tuple[list[int], int]]]:
    epoch, _, rest = version.rpartition(":")
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return int(epoch) if epoch.isdecimal() else 0, _parts(upstream), _parts(revision)


def _parts(text: str) -> list[tuple[list[int], int]]:
    """Return letters and numbers in turn; letters come before signs, and a tilde before everything, also the end."""
    letters, numbers = re.split(r"[0-9]+", text), re.findall(r"[0-9]+", text)
    return [(_weights(sign), int(number or 0)) for sign, number in zip_longest(letters, numbers, fillvalue="")]


def _weights(text: str) -> list[int]:
    return [-1 if sign == "~" else ord(sign) + (0 if sign.isalpha() else 256) for sign in text] + [0]
