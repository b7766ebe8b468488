"""Says which files of a host came with a package that was changed just then, and are as the package ships them."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from changewindow.systems.hosts.aide_report import Difference
from changewindow.systems.hosts.debian_logs import Logs
from changewindow.systems.hosts.debian_packages import LATEST, Command, PackageChange, command_of
from changewindow.systems.hosts.machine import Machine
from changewindow.systems.measurement import SourceError

CHECK = (
    'number=$1; shift; while [ "$number" -gt 0 ]; do number=$((number - 1)); '
    'dpkg-query --control-show "$1" md5sums; dpkg-query --show --showformat="\\${Conffiles}\\n" "$1"; shift; done; '
    'echo files; stat --printf="%f %u %n\\0" -- "$@"; printf "\\0sums\\0"; md5sum --zero -- "$@"'
)
"""Prints the checksums that packages have shipped, and mode, owner and checksum of files as they are."""
SHIPPED = re.compile(r"^(?P<sum>[0-9a-f]{32})  (?P<path>.+)$", re.MULTILINE)
CONFIGURATION = re.compile(r"^ (?P<path>/.+) (?P<sum>[0-9a-f]{32})$", re.MULTILINE)
OF_PACKAGE = re.compile(r"(?m)^(?P<packages>[^/\n]+): (?P<path>/.*)$")
LONGEST = timedelta(minutes=10)
"""How long after a package is begun to be unpacked its files are there."""
BY_UNPACKING = frozenset({"Size", "Bcount", "Mtime", "Ctime", "Inode", "Linkcount"})
"""Attributes that unpacking changes, beside checksums, which are compared with what is shipped."""
CHECKSUM = re.compile(r"(?:MD5|SHA|RMD|CRC|TIGER|HAVAL|WHIRLPOOL|GOST|STRIBOG)\w*")
MERGED = re.compile(r"^/usr(?=/(?:s?bin|lib\w*)/)")
"""Where a file really is that a package ships as `/bin/ls`."""
FOLDER, UNSAFE = 0o040000, 0o6022
"""Bits of a mode: it is a folder; it runs as somebody else, or others than its owner may write it."""
ROOT = "0"
"""The owner of what packages ship, for all that dpkg records of it."""


@dataclass(frozen=True)
class Change:
    """How a package was changed with which a file came."""

    package: PackageChange
    run: Command | None


@dataclass
class _Host:
    shipped: dict[str, set[str]] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)


async def packages_of(on: Machine, paths: Sequence[str]) -> dict[str, str]:
    """Return the packages of files, where dpkg is at hand."""
    if not paths:
        return {}
    real = {MERGED.sub("", path): path for path in paths}
    with suppress(SourceError):
        ran = await on.run("dpkg-query", "--search", "--", *{*paths, *real}, host=on.connection)
        known = {match["path"]: match["packages"] for match in OF_PACKAGE.finditer(ran.output.decode(errors="replace"))}
        return {**{real[path]: packages for path, packages in known.items() if path in real}, **known}
    return {}


async def came_with(
    on: Machine, differences: Mapping[str, tuple[Difference, datetime]], packages: Mapping[str, str], logs: Logs
) -> dict[str, Change]:
    """Return the change of a package for each file that came with it, by the path of the file.

    Its ctime lies in the time in which the package was unpacked, its content is what the package ships, and no rights
    were changed; of a folder only its times, and how many files are in it.
    """
    changed = {
        path: change
        for path, (difference, at) in differences.items()
        if path in packages and (difference.done == "added" or _is_unpacked(difference))
        for change in [_change(packages[path], at, logs)]
        if change
    }
    if not changed:
        return {}
    host = await _look(on, sorted({_name(change, packages[path]) for path, change in changed.items()}), list(changed))
    return {path: change for path, change in changed.items() if _is_shipped(path, differences[path][0], host)}


def _is_unpacked(difference: Difference) -> bool:
    """Return whether nothing differs that unpacking does not change: rights are what no checksum covers."""
    names = _attributes(difference)
    return bool(names) and all(name in BY_UNPACKING or CHECKSUM.fullmatch(name) for name in names)


def _attributes(difference: Difference) -> set[str]:
    return {name.strip() for name in difference.attributes.split(",")} - {""}


def _change(packages: str, at: datetime, logs: Logs) -> Change | None:
    """Return the newest change of a package before a file's ctime, if it was not long before."""
    names = {name.strip().partition(":")[0] for name in packages.split(",")}
    theirs = [change for change in logs.changes if change.package in names and change.after]
    before = [change for change in theirs if change.at <= at + LATEST]
    if not before:
        return None
    newest = max(reversed(before), key=lambda change: change.at)  # of one second, the last
    run = command_of(newest, logs.runs)
    ended = run.ended + LATEST if run else newest.at + LONGEST
    return Change(newest, run) if at <= ended else None


def _name(change: Change, packages: str) -> str:
    """Return a package as dpkg names it, with its architecture where there are several."""
    names = [name.strip() for name in packages.split(",")]
    return next(name for name in names if name.partition(":")[0] == change.package.package)


async def _look(on: Machine, packages: Sequence[str], paths: Sequence[str]) -> _Host:
    asked = ("sh", "-c", CHECK, "sh", str(len(packages)), *packages, *paths)
    printed = (await on.run(*asked, host=on.connection)).output.decode(errors="surrogateescape")
    databases, _, files = printed.partition("\nfiles\n")
    modes, _, sums = files.partition("\0sums\0")
    host = _Host()
    for match in SHIPPED.finditer(databases):
        host.shipped.setdefault(f"/{match['path']}", set()).add(match["sum"])
    for match in CONFIGURATION.finditer(databases):
        host.shipped.setdefault(match["path"], set()).add(match["sum"])
    for mode, owner, path in (line.split(" ", 2) for line in modes.split("\0") if line.count(" ") >= 2):
        host.modes[path], host.owners[path] = int(mode, 16), owner
    host.sums = {line[34:]: line[:32] for line in sums.split("\0") if len(line) > 34}
    return host


def _is_shipped(path: str, difference: Difference, host: _Host) -> bool:
    mode = host.modes.get(path)
    is_new = difference.done == "added"
    if mode is None or (is_new and (mode & UNSAFE or host.owners[path] != ROOT)):
        return False
    if mode & 0o170000 == FOLDER:
        return not is_new and _attributes(difference) <= BY_UNPACKING
    shipped = host.shipped.get(path, set()) | host.shipped.get(MERGED.sub("", path), set())
    return host.sums.get(path) in shipped
