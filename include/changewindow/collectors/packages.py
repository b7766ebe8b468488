"""Shows packages that were installed, upgraded, downgraded or removed on a host, with the command and who gave it.

With `manager: dpkg` it reads dpkg.log, which has every package, and apt's history.log, which has the command line and
who used sudo; rotated and compressed ones too. What can be seen begins with the oldest line of the oldest dpkg.log.
With `manager: rpm` it asks the database of rpm, which holds only what is installed now: removals, and versions of
before, are known from the first look on, and only to the time between two looks. The account has to read the logs, or
to run `rpm -qa`, and needs no other right.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import partial
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from changewindow.collectors.base import CollectorBase, CollectorContext
from changewindow.documents.types import ConnectionName
from changewindow.systems.collection import Collected, Coverage, Entry, Span
from changewindow.systems.hosts import rpm_packages
from changewindow.systems.hosts.debian_packages import (
    Clock,
    Command,
    PackageChange,
    command_of,
    commands,
    package_changes,
    time_at,
)
from changewindow.systems.hosts.machine import machine
from changewindow.systems.measurement import SourceError

EXAMPLE = {"kind": "packages", "connection": "web_3", "service": "orders"}
READ = (
    "date '+%s %z'; readlink -f /etc/localtime || echo; "
    'for file in "$1"/dpkg.log* "$1"/apt/history.log*; do [ -f "$file" ] || continue; '
    'echo "$3 $file"; '
    'if [ "$(stat -c %Y "$file")" -ge "$2" ]; then zcat -f -- "$file"; else zcat -f -- "$file" | head -n 1; fi; done'
)
"""Prints the host's clock and zone, and each log; of those that ended before the span, the first line."""
ZONES = "/zoneinfo/"
ROOT = "apt records who gave a command only where sudo was used"
BARE = "dpkg was run without apt, and does not record who ran it"
ONLY_NOW = "rpm does not record who installed a package"


class Collector(CollectorBase):
    """The packages of a host."""

    kind: Literal["packages"] = "packages"
    connection: ConnectionName | None = None
    """The SSH connection of the host; without it, this machine."""
    manager: Literal["dpkg", "rpm"] = "dpkg"
    """What installs packages there."""
    logs: str = Field(default="/var/log", pattern="^/[^\\x00]*$")
    """For dpkg: the folder of dpkg.log and apt."""
    database: str = Field(default="", pattern="^(/[^\\x00]*)?$")
    """For rpm: the folder of its database, if it is not the usual one."""

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Read the logs, or ask the database."""
        host = (await machine(context.connection, context.run, self.connection, kind=self.kind)).name
        if self.manager == "rpm":
            return await self._of_rpm(host, span, context)
        since = str(int(span.since.timestamp()))
        asked = datetime.now(UTC)
        mark = secrets.token_hex(16)  # a command line in a log could look like the beginning of another one
        ran = await context.run("sh", "-c", READ, "sh", self.logs, since, mark, host=self.connection)
        head, *files = ran.output.decode(errors="replace").split(f"{mark} ")
        ahead, zone = _clock(head, asked)
        logs = {name: text for name, _, text in (file.partition("\n") for file in files)}
        complaint = " ".join(ran.complaint.decode(errors="replace").split())[:200]
        if not any("/dpkg.log" in name for name in logs):
            missing = f"there is no dpkg.log in {self.logs} of {host}"
            raise SourceError("unreachable", f"{missing}. {complaint or 'Correct `logs`, or `manager`'}")
        return _of_logs(host, logs, span, partial(_utc, zone), ahead=ahead, complaint=complaint)

    async def _of_rpm(self, host: str, span: Span, context: CollectorContext) -> Collected:
        folder = ["--dbpath", self.database] if self.database else []
        arguments = ("rpm", *folder, "-qa", "--queryformat", rpm_packages.FORMAT)
        now = rpm_packages.installed((await context.read(*arguments, host=self.connection)).decode(errors="replace"))
        if not now:
            raise SourceError("no_data", f"rpm of {host} knows no package. Correct `database`, or `manager`")
        seen = rpm_packages.seen(now, context.kept, span.until.timestamp())
        begun = datetime.fromtimestamp(context.kept["begun"], UTC)
        why = f"removals, and versions of before, are only known from {begun:%Y-%m-%d %H:%M} UTC on"
        coverage = Coverage(
            span.since,
            span.until,
            clock_off=await context.clock_off(self.connection),
            why=why if begun > span.since else "",
        )
        return Collected(tuple(_rpm_entry(host, change) for change in seen), coverage)


def _clock(head: str, asked: datetime) -> tuple[timedelta, tzinfo]:
    """Return how far the host's clock is ahead of ours, and its zone."""
    line, _, localtime = head.partition("\n")
    seconds, _, offset = line.partition(" ")
    now = datetime.now(UTC)
    if not seconds.isdecimal():
        raise SourceError("invalid", f"the host does not say its time, but: {head[:80]!r}. Does its shell print more?")
    there = datetime.fromtimestamp(int(seconds), UTC)
    is_same = asked - timedelta(seconds=1) <= there <= now
    return (timedelta(0) if is_same else there - now), _zone(localtime.strip(), offset)


def _zone(localtime: str, offset: str) -> tzinfo:
    try:
        return ZoneInfo(localtime.partition(ZONES)[2] or "-")
    except (LookupError, ValueError, OSError):  # then as it is now, also for what was logged in another season
        sign = -1 if offset.startswith("-") else 1
        return timezone(sign * timedelta(hours=int(offset[1:3] or 0), minutes=int(offset[3:5] or 0)))


def _utc(zone: tzinfo, local: datetime) -> datetime:
    return local.replace(tzinfo=zone).astimezone(UTC)


def _of_logs(
    host: str, logs: Mapping[str, str], span: Span, clock: Clock, *, ahead: timedelta, complaint: str
) -> Collected:
    lines = {name: text.split("\n") for name, text in logs.items()}
    runs = [run for name, text in lines.items() if "/history.log" in name for run in commands(text, clock)]
    packages = {name: text for name, text in lines.items() if "/dpkg.log" in name}
    changes = [change for text in packages.values() for change in package_changes(text, clock)]
    firsts = [at for text in packages.values() if text and (at := time_at(text[0], clock))]
    begun = min(firsts, default=span.until) - ahead
    reasons = [f"its oldest dpkg.log begins {begun:%Y-%m-%d %H:%M} UTC"] if begun > span.since else []
    coverage = Coverage(
        max(begun, span.since),
        span.until,
        clock_off=ahead,
        why="; ".join([*reasons, *filter(None, [complaint])]),
    )
    return Collected(tuple(_entry(host, change, command_of(change, runs)) for change in changes), coverage)


def _entry(host: str, change: PackageChange, run: Command | None) -> Entry:
    command = f" by {run.line}" if run and run.line else ""
    return Entry(
        change.at,
        f"{host}:{change.package}",
        f"package {change.action} ({change.architecture}){command}",
        before=change.before,
        after=change.after,
        by=run.by if run else "",
        known_by=BARE if run is None else "Requested-By in apt's history.log" if run.by else ROOT,
    )


def _rpm_entry(host: str, change: rpm_packages.Seen) -> Entry:
    action = "removed, before this time" if not change.after else "upgraded" if change.before else "installed"
    name, _, architecture = change.package.rpartition(".")
    what = f"package {action} ({architecture})"
    at = datetime.fromtimestamp(change.at, UTC)
    return Entry(at, f"{host}:{name}", what, change.before, change.after, known_by=ONLY_NOW)
