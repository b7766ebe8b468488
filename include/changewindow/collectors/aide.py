r"""Shows files that differ from AIDE's database: added, removed, or with other attributes.

It reads the report that the host's daily check has left, which sees nothing after it began; or with `check: true` it
runs the check now, which takes as long as it takes to read every file, so raise `within`. AIDE does not know who, and
knows when only by the file's ctime, which no program can choose; a removed file counts when its folder changed. What
was changed and changed back in between cannot be seen. Each file of a package of dpkg is named with its package.
Checksums are not shown.

The account has to read the report, as members of `adm` may on Debian. The date of the database, from which on AIDE can
see, and a check need root. Where the account of the connection is not root, write `sudo: true` here, and give it these
commands, as a file in /etc/sudoers.d; leave out the second one without `check`:

    changewindow ALL=(root) NOPASSWD: /usr/bin/stat --printf\=%Y /var/lib/aide/aide.db, \
      /usr/bin/aide --config\=/etc/aide/aide.conf --check
"""

import posixpath
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import Field

from changewindow.collectors.base import CollectorBase, CollectorContext
from changewindow.documents.types import ConnectionName
from changewindow.systems.collection import Collected, Coverage, Entry, Span
from changewindow.systems.git.history import time_of
from changewindow.systems.hosts.aide_report import Difference, Report, report_of
from changewindow.systems.hosts.machine import Machine, complaint, latest, machine
from changewindow.systems.hosts.told_edits import REMOVED, ToldEdits
from changewindow.systems.measurement import SourceError

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
OF_PACKAGE = re.compile(r"(?m)^(?P<packages>[^/\n]+): (?P<path>/.*)$")


class Collector(CollectorBase):
    """AIDE's database and the files of a host."""

    kind: Literal["aide"] = "aide"
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
    sudo: bool = False
    """Whether stat and aide run as root by sudo; see above."""

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Read a report or make one, and ask when its files changed."""
        on = await machine(context.connection, context.run, self.connection, by_sudo=self.sudo, kind=self.kind)
        ahead = await context.clock_off(self.connection)
        report = report_of(await (self._checked(on) if self.check else self._reported(on)))
        if report is None:
            remedy = "Has a check ended, and is its report_format plain?"
            raise SourceError("invalid", f"there is no whole report of AIDE on {on.name}. {remedy}")
        times = await _times(on, report, context)
        packages = await _packages(on, report)
        by_then = min(report.began, latest(span, ahead))  # a check that is made now begins after the span
        entries = [_entry(difference, on.name, by_then, times) for difference in report.differences]
        named = [
            Entry(entry.at, entry.object, f"{entry.what}{of}", entry.before, entry.after, known_by=NOBODY)
            for entry, difference in zip(entries, report.differences, strict=True)
            for of in [f"; of package {packages[difference.path]}" if difference.path in packages else ""]
        ]
        return Collected(tuple(named), await self._coverage(on, report, span, ahead))

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


async def _packages(on: Machine, report: Report) -> dict[str, str]:
    """Return the packages of files, where dpkg is at hand."""
    paths = [difference.path for difference in report.differences][:FILES]
    if not paths:
        return {}
    with suppress(SourceError):
        ran = await on.run("dpkg-query", "--search", "--", *paths, host=on.connection)
        return {match["path"]: match["packages"] for match in OF_PACKAGE.finditer(ran.output.decode(errors="replace"))}
    return {}


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
    )
