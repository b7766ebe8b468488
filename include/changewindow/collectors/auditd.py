"""Shows files that were changed and programs that were run, as the kernel told auditd, with the login uid.

The login uid stays the same through su and sudo. Only what a rule of auditd watches has a record: without a rule for a
path nothing is known of it. `ausearch` and `aureport`, of the package of auditd, read the log; the account has to be in
the group that auditd.conf names as `log_group`, such as `adm`. Names of users are those that the host had then, if
auditd writes `log_format = ENRICHED`; otherwise there are only numbers. Secrets in command lines are hidden by what
usually stands before them.

How many records were lost, whether auditing is on, and which rules there are, only root may ask. Where the account of
the connection is not root, write `sudo: true` here, and give it these two commands, as a file in /etc/sudoers.d:

    changewindow ALL=(root) NOPASSWD: /usr/sbin/auditctl -s, /usr/sbin/auditctl -l

What collectors run by sudo is shown as a look where it is recorded; anything else that their account runs is
not. A rule that records programs of every account, rather than those of root (`-F euid=0`), records every look by ssh.
"""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any, ClassVar, Literal

from pydantic import Field

from changewindow.collectors.base import CollectorBase, CollectorContext
from changewindow.documents.types import ConnectionName
from changewindow.systems.collection import Collected, Coverage, Entry, Span
from changewindow.systems.command_lines import shown_command
from changewindow.systems.hosts.audit_log import Event, decoded, events, who
from changewindow.systems.hosts.machine import Line, Machine, complaint, machine
from changewindow.systems.measurement import SourceError
from changewindow.systems.place import Sort

EXAMPLE = {"kind": "auditd", "connection": "web_3", "paths": ["/etc", "/usr/local/bin"], "sudo": True}
MOST = 4 << 20
"""Bytes of the log, the newest of the span."""
FILES = 20
"""How many files of an event are shown."""
READINGS = 100
"""How many counts of lost records are kept for the next look."""
KINDS = "SYSCALL,CONFIG_CHANGE,DAEMON_START,DAEMON_END,DAEMON_ABORT"
SCRIPT = f"""
PATH=$PATH:/usr/sbin:/sbin LC_ALL=C TZ=UTC; export PATH LC_ALL TZ
command -v ausearch >/dev/null || {{ echo 'there is no ausearch' >&2; exit 1; }}
aureport -if "$1" -t
for file in "$1" "$1"/audit.log*; do [ ! -e "$file" ] || [ -r "$file" ] || echo "unreadable $file"; done
echo records
{{ ausearch -if "$1" --format raw -m {KINDS} -ts "$2" "$3" -te "$4" "$5" || [ $? = 1 ] || echo BROKEN
}} | tail -c {MOST}
"""
BROKEN = "BROKEN"
UNREADABLE = re.compile(r"^unreadable (.*)$", re.MULTILINE)
FORMAT = "%m/%d/%y %H:%M:%S"
RANGE = re.compile(r": (\d\d/\d\d/\d\d \d\d:\d\d:\d\d)\.\d+ - (\d\d/\d\d/\d\d \d\d:\d\d:\d\d)\.\d+$", re.MULTILINE)
WATCHED = re.compile(r"(?:^-w |-F (?:path|dir)=)(\S+)")
OF_KINDS = re.compile(r"(?:-p |-F perm=)(\S+)")
NO_RULES = "No rules"
DONE = {"CREATE": "created", "DELETE": "removed", "NORMAL": "written, or its attributes changed"}
BY_NAME, BY_NUMBER = "login uid of auditd", "login uid of auditd, whose log has no names"
NOBODY = "no login uid: a service, or a program that the system started"


class Collector(CollectorBase):
    """The records of auditd."""

    kind: Literal["auditd"] = "auditd"
    looks_at: ClassVar[Sort] = "host"
    connection: ConnectionName | None = None
    """The SSH connection of the host; without it, this machine."""
    log: str = Field(default="/var/log/audit", pattern=r"^/[^\x00]*$")
    """The folder of audit.log and those before it, or a file that was brought there."""
    paths: tuple[str, ...] = ()
    """Paths that a rule has to watch; a path without one is named as not seen."""
    sudo: bool = False
    """Whether auditctl runs as root by sudo; see above."""

    @property
    def by_sudo(self) -> tuple[Line, ...]:
        """Return what runs as root."""
        return (("auditctl", "-s"), ("auditctl", "-l")) if self.sudo else ()

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Search the log, and ask the kernel what it could not record."""
        on = await machine(context.connection, context.run, self.connection, by_sudo=self.by_sudo, kind=self.kind)
        ahead = await context.clock_off(self.connection)
        (oldest, newest, unreadable, read), status, rules = await asyncio.gather(
            self._search(on, span, ahead), self._ask(on, "-s"), self._ask(on, "-l")
        )
        known, broken = events(read)
        entries = [entry for event in known for entry in _entries(event, on.name)]
        if len(read) >= MOST and known:
            oldest = max(oldest, known[0].at)
        off, lost, why = _status(status, context.kept, span)
        blind = {**unreadable, **self._blind(rules, status)}
        reasons = [
            f"nothing is known of before {oldest - ahead:%F %H:%M} UTC" if oldest - ahead > span.since else "",
            f"{broken} records cannot be read" if broken else "",
            why,
            "auditd has no rules, so nothing is recorded" if rules.strip() == NO_RULES else "",
            *blind.values(),
        ]
        since, until = max(oldest - ahead, span.since), min(newest - ahead, span.until) if off else span.until
        if rules.strip() == NO_RULES:
            since = until = span.until
        coverage = Coverage(
            min(since, span.until),
            until,
            _holes(known, span, ahead),
            lost + broken,
            clock_off=ahead,
            why="; ".join(dict.fromkeys(filter(None, reasons))),
            blind=blind,
        )
        return Collected(tuple(entries), coverage)

    async def _search(
        self, on: Machine, span: Span, ahead: timedelta
    ) -> tuple[datetime, datetime, dict[str, str], str]:
        """Return when the log begins and ends, which of its files cannot be read, and the records of the span."""
        since, until = ((moment + ahead).strftime(FORMAT).split() for moment in (span.since, span.until))
        ran = await on.run("sh", "-c", SCRIPT, "sh", self.log, *since, *until, host=on.connection)
        head, _, records = ran.output.decode(errors="replace").partition("\nrecords\n")
        ranges = [[datetime.strptime(at, FORMAT).replace(tzinfo=UTC) for at in pair] for pair in RANGE.findall(head)]
        if not ranges:
            remedy = "Is auditd installed and running there, and is the account in its log_group?"
            raise SourceError("unreachable", f"{self.log} on {on.name} cannot be read: {complaint(ran)}. {remedy}")
        if records.endswith(f"{BROKEN}\n"):
            remedy = "Run it there by hand"
            raise SourceError("unreachable", f"ausearch on {on.name} broke off: {complaint(ran)}. {remedy}")
        if len(records) >= MOST - 4:
            records = records.partition("\n")[2]
        unreadable = {file: f"its account may not read {file}" for file in UNREADABLE.findall(head)}
        return min(first for first, _ in ranges), max(last for _, last in ranges), unreadable, records

    async def _ask(self, on: Machine, option: str) -> str:
        """Return what auditctl says, or after `?` why it says nothing."""
        try:
            ran = await on.look("auditctl", option)
        except SourceError as error:
            return f"?{error}"
        return f"?{complaint(ran)}" if ran.code else ran.output.decode(errors="replace")

    def _blind(self, rules: str, status: str) -> dict[str, str]:
        """Return what auditd does not record, and what of that is unknown."""
        unknown = "whether auditing is on, and how much was lost"
        blind = {unknown: f"{unknown}, is unknown: {status[1:]}"} if status.startswith("?") else {}
        if rules.startswith("?"):
            return {**blind, **({"which files are watched": rules[1:]} if self.paths else {})}
        watched = [
            PurePosixPath(path) for rule in rules.splitlines() if _records(rule) for path in WATCHED.findall(rule)
        ]
        missing = [path for path in self.paths if not any(PurePosixPath(path).is_relative_to(at) for at in watched)]
        return {**blind, **{f"changes of {path}": f"no rule of auditd watches {path}" for path in missing}}


def _records(rule: str) -> bool:
    """Return whether a rule records that files are written."""
    kinds = OF_KINDS.search(rule)
    return not re.search(r"-[aA] \S*\bnever\b", rule) and (kinds is None or bool({*"wa"} & {*kinds[1]}))


def _status(status: str, kept: dict[str, Any], span: Span) -> tuple[bool, int, str]:
    """Return whether auditing is off, how many records were lost in the span, and what is to be said of both."""
    if status.startswith("?"):
        return False, 0, ""
    numbers = dict(line.split(" ", 1) for line in status.splitlines() if " " in line)
    total = int(numbers.get("lost", "0")) if numbers.get("lost", "0").isdecimal() else 0
    before = [reading for reading in kept.get("lost", []) if reading[0] <= span.since.timestamp()]
    kept["lost"] = [*kept.get("lost", []), [datetime.now(UTC).timestamp(), total]][-READINGS:]
    base = before[-1][1] if before and before[-1][1] <= total else 0
    when = "" if before else ", at some time since the system started"
    reasons = [f"the kernel lost {total - base} records{when}"] if total > base else []
    off = [
        word
        for word, name in (("auditing is off", "enabled"), ("auditd is not running", "pid"))
        if numbers.get(name) == "0"
    ]
    return bool(off), total - base, "; ".join([*reasons, *off[:1]])


def _entries(event: Event, host: str) -> Iterator[Entry]:
    record = event.any()
    by, is_named = who(record)
    known_by = NOBODY if not by else BY_NAME if is_named else BY_NUMBER
    command, program = shown_command(event.arguments), decoded(record.get("exe", ""))
    for kind in ("CONFIG_CHANGE", "DAEMON_START", "DAEMON_END", "DAEMON_ABORT"):
        if change := event.first(kind):
            told = {name: decoded(value) if name == "key" else value for name, value in change.items()}
            names = ("op", "audit_enabled", "old", "key", "res")
            what = " ".join(f"{name}={told[name]}" for name in names if name in told)
            yield Entry(event.at, f"{host}:auditd", f"{kind.lower()}: {what}", by=by, known_by=known_by)
            return
    if record.get("success") == "no" or event.only_reads:
        return
    if "EXECVE" in event.records:
        # whoever starts a program chooses what it is called; which file it is, the kernel knows
        recorded = shown_command([program, *event.arguments[1:]])
        ran = Entry(event.at, f"{host}:{program}", f"ran: {command}", by=by, known_by=known_by, command=recorded)
        yield replace(ran, is_run=True)
        return
    for path, done in list(event.files())[:FILES]:
        what = f"{DONE[done]} by {program}: {command}"
        yield Entry(event.at, f"{host}:{path}", what, by=by, known_by=known_by)


def _holes(known: Sequence[Event], span: Span, ahead: timedelta) -> tuple[Span, ...]:
    """Return when auditd did not run, or auditing was switched off."""
    holes, blind = [], None
    for event in known:
        enabled = event.first("CONFIG_CHANGE").get("audit_enabled")
        if "DAEMON_END" in event.records or "DAEMON_ABORT" in event.records or enabled == "0":
            blind = blind or event.at - ahead
        elif blind and ("DAEMON_START" in event.records or enabled):
            holes.append(Span(blind, event.at - ahead))
            blind = None
    return (*holes, *([Span(blind, span.until)] if blind else []))
