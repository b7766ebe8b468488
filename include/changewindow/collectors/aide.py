r"""Shows files that differ from AIDE's database: added, removed, or with other attributes.

It reads the report that the host's daily check has left, which sees nothing after it began; or with `check: true` it
runs the check now, which takes as long as it takes to read every file, so raise `within`. AIDE does not know who, and
knows when only by the file's ctime, which no program can choose; a removed file counts when its folder changed. What
was changed and changed back in between cannot be seen. Checksums are not shown.

Each file of a package of dpkg is named with its package. Where that package was changed just then, and the file has the
content that the package ships and nothing else differs, such as its mode, what explains the package explains the file.
A file that the package no longer ships is unknown to dpkg, so that nothing explains that it is gone.

The account has to read the report, as members of `adm` may on Debian. The date of the database, from which on AIDE can
see, and a check need root. Where the account of the connection is not root, write `sudo: true` here, and give it these
commands, as a file in /etc/sudoers.d; leave out the second one without `check`:

    changewindow ALL=(root) NOPASSWD: /usr/bin/stat --printf\=%Y /var/lib/aide/aide.db, \
      /usr/bin/aide --config\=/etc/aide/aide.conf --check
"""

import posixpath
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Literal

from pydantic import Field

from changewindow.collectors.base import CollectorBase, CollectorContext
from changewindow.documents.types import ConnectionName
from changewindow.systems.collection import Collected, Coverage, Entry, Span
from changewindow.systems.git.history import time_of
from changewindow.systems.hosts.aide_report import Difference, Report, report_of
from changewindow.systems.hosts.debian_logs import package_entry, read_logs
from changewindow.systems.hosts.machine import Line, Machine, complaint, latest, machine
from changewindow.systems.hosts.shipped_files import LONGEST, came_with, packages_of
from changewindow.systems.hosts.told_edits import REMOVED, ToldEdits
from changewindow.systems.measurement import SourceError
from changewindow.systems.place import Sort

EXAMPLE = {"kind": "aide", "connection": "web_3", "sudo": True}
MOST = 8 << 20
"""Bytes of a report."""
FILES = 500
"""How many files are asked for their time and their package."""
DIFFERENT = 7
"""The highest exit code of a check that was made: bits for added, removed and changed files."""
NOBODY = "AIDE compares files, and does not know who changed them"
SECOND = timedelta(seconds=1)
"""How exact a report is about its time."""


class Collector(CollectorBase):
    """AIDE's database and the files of a host."""

    kind: Literal["aide"] = "aide"
    looks_at: ClassVar[Sort] = "host"
    connection: ConnectionName | None = None
    """The SSH connection of the host; without it, this machine."""
    report: str = Field(default="/var/log/aide/aide.log", pattern=r"^/[^\x00]*$")
    """The report of the last check, in AIDE's plain format."""
    database: str = Field(default="/var/lib/aide/aide.db", pattern=r"^/[^\x00]*$")
    """What it was compared with."""
    check: bool = False
    """Whether to check now, instead of reading a report."""
    config: str = Field(default="/etc/aide/aide.conf", pattern=r"^/[^\x00]*$")
    """The configuration of that check."""
    logs: str = Field(default="/var/log", pattern=r"^/[^\x00]*$")
    """The folder of dpkg.log and apt, which tell what a package has brought."""
    sudo: bool = False
    """Whether stat and aide run as root by sudo; see above."""

    @property
    def by_sudo(self) -> tuple[Line, ...]:
        """Return what runs as root."""
        lines: tuple[Line, ...] = (
            ("stat", "--printf=%Y", self.database),
            ("aide", f"--config={self.config}", "--check"),
        )
        return lines if self.sudo else ()

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Read a report or make one, and ask when its files changed."""
        on = await machine(context.connection, context.run, self.connection, by_sudo=self.by_sudo, kind=self.kind)
        ahead = await context.clock_off(self.connection)
        report = report_of(await (self._checked(on) if self.check else self._reported(on)))
        if report is None:
            remedy = "Has a check ended, and is its report_format plain?"
            raise SourceError("invalid", f"there is no whole report of AIDE on {on.name}. {remedy}")
        times = await _times(on, report, context)
        packages = await packages_of(on, [difference.path for difference in report.differences][:FILES])
        by_then = min(report.began, latest(span, ahead))  # a check that is made now begins after the span
        entries = [_entry(difference, on.name, by_then, times) for difference in report.differences]
        pairs = list(zip(entries, report.differences, strict=True))
        shipped = await self._shipped(on, {of.path: (of, entry.at) for entry, of in pairs}, packages, ahead=ahead)
        named = (
            replace(
                entry,
                what=f"{entry.what}; of package {packages[of.path]}" if of.path in packages else entry.what,
                came_with=shipped.get(of.path),
            )
            for entry, of in pairs
        )
        return Collected(tuple(named), await self._coverage(on, report, span, ahead))

    async def _shipped(
        self,
        on: Machine,
        differences: Mapping[str, tuple[Difference, datetime]],
        packages: Mapping[str, str],
        *,
        ahead: timedelta,
    ) -> dict[str, Entry]:
        """Return, on our clock, how each package was changed that has brought a file as it still is."""
        if not packages:
            return {}
        with suppress(SourceError):
            logs = await read_logs(on, self.logs, min(at for _, at in differences.values()) - LONGEST)
            changes = await came_with(on, differences, packages, logs)
            brought = {path: package_entry(on.name, change.package, change.run) for path, change in changes.items()}
            return {path: replace(entry, at=entry.at - ahead) for path, entry in brought.items()}
        return {}

    async def _reported(self, on: Machine) -> str:
        ran = await on.run("tail", "-c", str(MOST), "--", self.report, host=on.connection)
        if ran.code:
            raise SourceError(
                "unreachable", f"{complaint(ran)} ({on.name}). Correct `report`, or let the account read it"
            )
        return ran.output.decode(errors="replace")

    async def _checked(self, on: Machine) -> str:
        ran = await on.look("aide", f"--config={self.config}", "--check")
        if ran.code > DIFFERENT:
            reason = f"AIDE on {on.name} could not check, with exit code {ran.code}: {complaint(ran)}"
            raise SourceError("unreachable", f"{reason}. Correct `config`, and see that the database is there")
        return ran.output.decode(errors="replace")

    async def _coverage(self, on: Machine, report: Report, span: Span, ahead: timedelta) -> Coverage:
        """Return from the date of the database to the beginning of the check."""
        began, reasons, since = report.began - ahead, [], span.since
        until = span.until if began + SECOND >= span.until else max(span.since, began)
        try:
            made = time_of((await on.read("stat", "--printf=%Y", self.database)).decode(errors="replace")) - ahead
        except SourceError as error:
            since = until = span.until
            reasons.append(f"since when AIDE can see is unknown: {error}")
        else:
            if made > span.since:
                since = made
                reasons.append(f"the database is of {made:%F %H:%M} UTC")
        if began + SECOND < span.until:
            reasons.append(f"the check began {began:%F %H:%M} UTC")
        if report.lost:
            reasons.append(f"{report.lost} files of the report cannot be read")
        why = "; ".join(reasons)
        return Coverage(min(since, until), until, lost=report.lost, clock_off=ahead, why=why)


async def _times(on: Machine, report: Report, context: CollectorContext) -> dict[str, datetime]:
    """Return when files last changed of which the report does not say so.

    For a removed one that is when its folder had changed as it was first told: each later report tells it again.
    """
    unknown = [difference for difference in report.differences if difference.changed is None][:FILES]
    asked = {
        difference.path: posixpath.dirname(difference.path) if difference.done == REMOVED else difference.path
        for difference in unknown
    }
    known = await on.changed(sorted(set(asked.values()))) if asked else {}
    told, done = ToldEdits.of(context.kept.get("told")), {difference.path: difference.done for difference in unknown}
    times = {path: told.first(path, done[path], known[inode])[0] for path, inode in asked.items() if inode in known}
    context.kept["told"] = ToldEdits({path: (done[path], at) for path, at in times.items()}).kept
    return times


def _entry(difference: Difference, host: str, by_then: datetime, times: dict[str, datetime]) -> Entry:
    changed = difference.changed or times.get(difference.path)
    at = min(changed, by_then) if changed else by_then
    when = "" if changed else ", at some time before the check"
    return Entry(
        at.astimezone(UTC),
        f"{host}:{difference.path}",
        f"{difference.done}{when}{f': {difference.attributes}' if difference.attributes else ''}",
        difference.before,
        difference.after,
        known_by=NOBODY,
    )
