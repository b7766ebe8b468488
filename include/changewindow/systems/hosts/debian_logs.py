"""Reads the logs of dpkg and apt on a host, in its own time zone, and makes entries of what they have."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import partial
from zoneinfo import ZoneInfo

from changewindow.systems.collection import Entry
from changewindow.systems.command_lines import without_secrets
from changewindow.systems.hosts.debian_packages import (
    Clock,
    Command,
    PackageChange,
    commands,
    package_changes,
    time_at,
)
from changewindow.systems.hosts.machine import Machine
from changewindow.systems.measurement import SourceError

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


@dataclass(frozen=True)
class Logs:
    """What the logs of a host have since a moment."""

    changes: tuple[PackageChange, ...]
    runs: tuple[Command, ...]
    begun: datetime | None
    """When the oldest dpkg.log begins; None where there is no line at all."""
    ahead: timedelta
    """How far the host's clock is ahead of ours."""
    complaint: str
    """What the host says that it could not read."""


async def read_logs(on: Machine, folder: str, since: datetime) -> Logs:
    """Return what the logs in a folder have.

    Raises:
        SourceError: there is no dpkg.log, or the host does not say its time.
    """
    asked, seconds = datetime.now(UTC), str(int(since.timestamp()))
    mark = secrets.token_hex(16)  # a command line in a log could look like the beginning of another one
    ran = await on.run("sh", "-c", READ, "sh", folder, seconds, mark, host=on.connection)
    head, *files = ran.output.decode(errors="replace").split(f"{mark} ")
    ahead, zone = _clock(head, asked)
    logs = {name: text.split("\n") for name, _, text in (file.partition("\n") for file in files)}
    complaint = " ".join(ran.complaint.decode(errors="replace").split())[:200]
    if not any("/dpkg.log" in name for name in logs):
        missing = f"there is no dpkg.log in {folder} of {on.name}"
        raise SourceError("unreachable", f"{missing}. {complaint or 'Correct `logs`, or `manager`'}")
    return _logs(logs, partial(_utc, zone), ahead, complaint)


def package_entry(host: str, change: PackageChange, run: Command | None) -> Entry:
    """Return the entry of a package that was changed by a run of apt, or by dpkg alone."""
    command = f" by {without_secrets(run.line)}" if run and run.line else ""
    dated = f" (dated {change.dated:%Y-%m-%d %H:%M:%S} UTC, against the order of the log)" if change.dated else ""
    return Entry(
        change.at,
        f"{host}:{change.package}",
        f"package {change.action} ({change.architecture}){dated}{command}",
        before=change.before,
        after=change.after,
        by=run.by if run else "",
        known_by=BARE if run is None else "Requested-By in apt's history.log" if run.by else ROOT,
        command=run.line if run else "",
        earliest=change.earliest,
    )


def _logs(logs: Mapping[str, Sequence[str]], clock: Clock, ahead: timedelta, complaint: str) -> Logs:
    names = sorted((name for name in logs if "/dpkg.log" in name), key=_age, reverse=True)
    packages = [logs[name] for name in names]
    firsts = [at for lines in packages if lines and (at := time_at(lines[0], clock))]
    return Logs(
        tuple(package_changes([line for lines in packages for line in lines], clock, datetime.now(UTC) + ahead)),
        tuple(run for name, lines in logs.items() if "/history.log" in name for run in commands(lines, clock)),
        min(firsts, default=None),
        ahead,
        complaint,
    )


def _age(name: str) -> int:
    """Return how often a log was rotated: `dpkg.log.2.gz` twice."""
    number = name.rpartition("/dpkg.log")[2].strip(".").partition(".")[0]
    return int(number) if number.isdecimal() else 0


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
