"""Compares the packages that rpm has now with those of an earlier look: its database holds only what is installed."""

from dataclasses import dataclass
from typing import Any

MOST = 2000
"""Changes that are kept, the newest."""
FORMAT = "%{NAME}.%{ARCH} %|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE} %{INSTALLTIME}\\n"


@dataclass(frozen=True)
class Installed:
    """A package as it is installed."""

    version: str
    at: int
    """In seconds since 1970."""


@dataclass(frozen=True)
class Seen:
    """A change that was seen between two looks, or that rpm itself dates."""

    at: float
    package: str
    before: str
    after: str
    is_dated: bool
    """Whether `at` is when it was installed; else it is when it was seen."""


def installed(printed: str) -> dict[str, Installed]:
    """Return every package by its name; of those that are there in several versions, the one that came last."""
    packages: dict[str, Installed] = {}
    for line in printed.splitlines():
        parts = line.split(" ")
        if len(parts) == 3 and parts[2].isdecimal():
            name, made = parts[0], Installed(parts[1], int(parts[2]))
            if name not in packages or packages[name].at <= made.at:
                packages[name] = made
    return packages


def seen(now: dict[str, Installed], kept: dict[str, Any], at: float) -> list[Seen]:
    """Return what has changed, as far as is known, and keep what the next look needs."""
    before: dict[str, str] = kept.get("packages", {})
    changes = [Seen(*known) for known in kept.get("changes", ())]
    if kept:
        gone = [Seen(at, name, version, "", is_dated=False) for name, version in before.items() if name not in now]
        new = [
            Seen(package.at, name, before.get(name, ""), package.version, is_dated=True)
            for name, package in now.items()
            if before.get(name) != package.version
        ]
        changes = [*changes, *gone, *new][-MOST:]
    kept.setdefault("begun", at)
    kept["packages"] = {name: package.version for name, package in now.items()}
    kept["changes"] = [[one.at, one.package, one.before, one.after, one.is_dated] for one in changes]
    known = {(one.package, one.after) for one in changes}
    undated = (
        Seen(package.at, name, "", package.version, is_dated=True)
        for name, package in now.items()
        if (name, package.version) not in known
    )
    return [*changes, *undated]
