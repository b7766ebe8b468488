"""Shows packages that were installed, upgraded, downgraded or removed on a host, with the command and who gave it.

With `manager: dpkg` it reads dpkg.log, which has every package, and apt's history.log, which has the command line and
who used sudo; rotated and compressed ones too. What can be seen begins with the oldest line of the oldest dpkg.log.
With `manager: rpm` it asks the database of rpm, which holds only what is installed now: removals, and versions of
before, are known from the first look on, and only to the time between two looks. With `manager: dnf5` it also reads the
newest transactions of dnf5's history, with the command line and who gave it; what rpm alone has done is shown beside
them. The account has to read the logs, or to run `rpm -qa` and `dnf5 history info`, and needs no other right.
"""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Literal

from pydantic import Field

from changewindow.collectors.base import CollectorBase, CollectorContext, PutBack
from changewindow.documents.types import ConnectionName
from changewindow.systems.collection import Collected, Coverage, Entry, Span
from changewindow.systems.command_lines import without_secrets
from changewindow.systems.hosts import rpm_packages
from changewindow.systems.hosts.debian_logs import package_entry, read_logs
from changewindow.systems.hosts.debian_packages import PackageChange, command_of
from changewindow.systems.hosts.dnf5_history import Transaction, transactions
from changewindow.systems.hosts.machine import latest, machine
from changewindow.systems.measurement import SourceError
from changewindow.systems.place import Sort

EXAMPLE = {"kind": "packages", "connection": "web_3", "service": "orders"}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*")
VERSION = re.compile(r"[A-Za-z0-9+.~:^_-]*")
ONLY_NOW = "rpm does not record who installed a package"
NOT_BY_DNF5 = "it is not in dnf5's history, and rpm does not record who installed a package"
BY_DNF5 = "login uid in dnf5's history"
NEWEST = 200
"""How many transactions of dnf5 are read."""
SLACK = timedelta(seconds=2)
"""How exact dnf5 is about the time of a transaction."""


class Collector(CollectorBase):
    """The packages of a host."""

    kind: Literal["packages"] = "packages"
    looks_at: ClassVar[Sort] = "host"
    connection: ConnectionName | None = None
    """The SSH connection of the host; without it, this machine."""
    manager: Literal["dpkg", "rpm", "dnf5"] = "dpkg"
    """What installs packages there."""
    logs: str = Field(default="/var/log", pattern="^/[^\\x00]*$")
    """For dpkg: the folder of dpkg.log and apt."""
    database: str = Field(default="", pattern="^(/[^\\x00]*)?$")
    """For rpm: the folder of its database, if it is not the usual one."""

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Read the logs, or ask the database."""
        on = await machine(context.connection, context.run, self.connection, kind=self.kind)
        if self.manager != "dpkg":
            of_rpm = await self._of_rpm(on.name, span, context)
            return of_rpm if self.manager == "rpm" else await self._of_dnf5(on.name, of_rpm, span, context)
        logs = await read_logs(on, self.logs, span.since)
        begun = (logs.begun or span.until) - logs.ahead
        oldest = f"its oldest dpkg.log begins {begun:%Y-%m-%d %H:%M} UTC" if begun > span.since else ""
        why = "; ".join(filter(None, (oldest, logs.complaint)))
        blind = {"some of the logs": logs.complaint} if logs.complaint else {}
        coverage = Coverage(max(begun, span.since), span.until, clock_off=logs.ahead, why=why, blind=blind)
        by_now = latest(span, logs.ahead)
        changes = (replace(change, at=min(change.at, by_now)) if change.dated else change for change in logs.changes)
        entries = (package_entry(on.name, change, command_of(change, logs.runs)) for change in changes)
        return Collected(tuple(entries), coverage)

    def put_back(self, entry: Entry) -> PutBack:
        """Install the version that was there, or remove what was not."""
        name = entry.object.rpartition(":")[2]
        if not NAME.fullmatch(name) or not all(VERSION.fullmatch(version) for version in (entry.before, entry.after)):
            return "what was installed before is not known"
        if entry.before == entry.after:
            return "the same version was installed again, so that nothing is to be taken back"
        kind = {"kind": "ssh_command", "connection": self.connection} if self.connection else {"kind": "command"}
        back, undo = (self._installs(name, version) for version in (entry.before, entry.after))
        return [{"name": f"{'Install' if entry.before else 'Remove'} {name}", **kind, "run": back, "undo": undo}]

    def _installs(self, name: str, version: str) -> list[str]:
        """Return the command after which a package has this version, or with none is not there."""
        if self.manager != "dpkg":
            dnf = "dnf5" if self.manager == "dnf5" else "dnf"
            return [dnf, "-y", "install", f"{name}-{version}"] if version else [dnf, "-y", "remove", name]
        exact = ["apt-get", "-y", "--allow-downgrades", "install", f"{name}={version}"]
        return exact if version else ["apt-get", "-y", "remove", name]

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

    async def _of_dnf5(self, host: str, of_rpm: Collected, span: Span, context: CollectorContext) -> Collected:
        """Return what dnf5 has done, and what rpm knows beside that."""
        asked = ("dnf5", "history", "info", "--json", f"last-{NEWEST - 1}..last")
        try:
            known = transactions(await context.read(*asked, host=self.connection))
        except ValueError as error:
            wrong = f"what dnf5 of {host} prints of its history is no JSON, as it is from 5.3 on: {error}"
            raise SourceError("invalid", f"{wrong}. Update it, or write `manager: rpm`") from error
        entries = [_dnf5_entry(host, change, run) for run in known for change in run.changes]
        done: dict[str, list[tuple[PackageChange, Transaction]]] = {}
        for run in known:
            for change in run.changes:
                done.setdefault(f"{host}:{change.package}", []).append((change, run))
        rest = [
            replace(entry, known_by=NOT_BY_DNF5)
            for entry in of_rpm.entries
            if not any(_is_of(entry, *change) for change in done.get(entry.object, ()))
        ]
        coverage = of_rpm.coverage
        begun = min((run.began for run in known), default=span.until) - (coverage.clock_off or timedelta(0))
        if begun > span.since:
            why = "; ".join(filter(None, (coverage.why, f"dnf5's history begins {begun:%Y-%m-%d %H:%M} UTC")))
            coverage = replace(coverage, since=min(begun, span.until), why=why)
        return Collected((*entries, *rest), coverage)


def _dnf5_entry(host: str, change: PackageChange, run: Transaction) -> Entry:
    name = f"package {change.action} ({change.architecture})"
    ending = "" if run.is_done else ", in a transaction that did not end well"
    return Entry(
        change.at,
        f"{host}:{change.package}",
        f"{name} by {without_secrets(run.line)}{ending}",
        change.before,
        change.after,
        run.by,
        BY_DNF5,
        command=run.line,
    )


def _is_of(entry: Entry, change: PackageChange, run: Transaction) -> bool:
    """Return whether dnf5 has done what rpm shows; when something was removed, rpm does not know."""
    if entry.after != change.after:
        return False
    return run.began - SLACK <= entry.at <= change.at + SLACK if change.after else entry.before == change.before


def _rpm_entry(host: str, change: rpm_packages.Seen) -> Entry:
    action = "removed, before this time" if not change.after else "upgraded" if change.before else "installed"
    name, _, architecture = change.package.rpartition(".")
    what = f"package {action} ({architecture})"
    at = datetime.fromtimestamp(change.at, UTC)
    return Entry(at, f"{host}:{name}", what, change.before, change.after, known_by=ONLY_NOW)
