"""Shows who logged in by ssh and what was run by sudo, transactions of PackageKit, and starts and stops of units.

`journalctl` reads them, on the host or here. The account has to be in the group `systemd-journal` and needs no sudo;
without that it would see only its own entries, and that is an error here. Secrets in command lines are hidden by what
usually stands before them. What a process logs that only calls itself sudo or sshd is shown, and by nobody.

What the journal itself says is missing counts as lost: messages that were suppressed by its rate limit, those it has
missed, and those too long to read. While journald was stopped, nothing could be seen. Rotation and vacuuming take the
oldest entries away: what can be seen begins with the oldest one that is left.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from changewindow.collectors.base import CollectorBase, CollectorContext, PutBack
from changewindow.documents.types import ConnectionName
from changewindow.systems.collection import Collected, Coverage, Entry, Span
from changewindow.systems.command_lines import without_secrets
from changewindow.systems.hosts.machine import Machine, machine
from changewindow.systems.measurement import SourceError
from changewindow.systems.place import Sort

EXAMPLE = {"kind": "journal", "connection": "web_3", "units": ["orders.service"]}
LINES = 2000
"""The newest of those that matter are read; a field of more than 4096 bytes is not."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STARTED, STOPPED = "f77379a8490b408bbe5f6940505a777b", "d93fb3c9c24d451a97cea615ce59c00b"
PROGRAMS = ("sshd", "sshd-session", "sudo", "sudo-rs", "packagekitd")
MATTERS = (
    "^Accepted |COMMAND=|command continued|transaction /|^Missed |^Suppressed |^Journal st"
    "|^Start|^Stop|^Reload|^Fail|^Scheduled restart|Main process exited"
)
HEAD = re.compile(
    r"^File path: (?P<path>.*)$|^Head realtime timestamp: .*\((?P<head>[0-9a-f]+)\)$", re.MULTILINE | re.IGNORECASE
)
LOGIN = re.compile(r"Accepted (?P<way>\S+) for (?P<user>\S+) from (?P<address>\S+) port \d+(?: ssh2)?:? ?(?P<key>.*)")
SUDO = re.compile(r"\s*(?P<user>\S+) : (?P<said>.*?)COMMAND=(?P<command>.*)", re.DOTALL)
CONTINUED = re.compile(r"\s*\S+ : \(command continued\) (?P<rest>.*)", re.DOTALL)
PACKAGES = re.compile(r"(?:install|remove|update|upgrade|repair)-\S+ transaction \S+ from uid (?P<uid>\d+) finished")
MISSING = re.compile(r"(?:Suppressed|Missed) (?P<count>\d+) (?:\S+ )?messages(?: from (?P<unit>\S+))?")
OF_USERS = (".scope", "ssh.service", "sshd.service", "packagekit.service")
"""Units whose suppressed messages may be of those that are shown; users' programs run in scopes."""
OF_THE_SYSTEM = ("/usr/", "/bin/", "/sbin/", "/nix/store/", "/run/wrappers/")
NOT_ASKED = "systemd does not log who asked for it; see sudo and logins before it"


@dataclass(frozen=True)
class Line:
    """An entry of the journal; fields whose names begin with `_` are journald's word, not the program's."""

    at: datetime
    message: str
    fields: Mapping[str, Any]

    def field(self, name: str) -> str:
        """Return a field, or an empty text."""
        return str(self.fields.get(name) or "")


class Collector(CollectorBase):
    """The journal of a host."""

    kind: Literal["journal"] = "journal"
    looks_at: ClassVar[Sort] = "host"
    connection: ConnectionName | None = None
    """The SSH connection of the host; without it, this machine."""
    units: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*\.[a-z]+$")], ...] = ()
    """Units whose starts, stops and reloads are shown, such as `orders.service`."""
    file: str = Field(default="", pattern=r"^(/[^\x00]*)?$")
    """A journal file, or a pattern of several, that was brought there, instead of the host's own journal."""

    def put_back(self, entry: Entry) -> PutBack:
        """Say why no step can."""
        return "a journal says what somebody did, and not what became of it; see what the other collectors have found"

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Read what matters, and from when on the journal goes back."""
        on = await machine(context.connection, context.run, self.connection, kind=self.kind)
        ahead = await context.clock_off(self.connection)
        oldest = _oldest((await self._read(on, "--header")).decode(errors="replace"))
        until = (span.until + ahead).timestamp() + 1
        read = await self._read(
            on, *self._asked, f"--since=@{(span.since + ahead).timestamp():.6f}", f"--until=@{until:.6f}"
        )
        lines, broken = _lines(read)
        entries = [entry for line in _joined(lines) for entry in self._entries(line, on.name)]
        if len(lines) + broken >= LINES and lines:
            oldest = max(oldest, lines[0].at)
        lost = broken + sum(map(self._missing, lines))
        reasons = [
            f"nothing is known of before {oldest - ahead:%F %H:%M} UTC" if oldest - ahead > span.since else "",
            f"{lost} messages were lost, suppressed or too long" if lost else "",
        ]
        seen = min(max(oldest - ahead, span.since), span.until)
        coverage = Coverage(
            seen, span.until, _holes(lines, ahead), lost, clock_off=ahead, why="; ".join(filter(None, reasons))
        )
        return Collected(tuple(entries), coverage)

    @property
    def _asked(self) -> list[str]:
        programs = [f"_COMM={program}" for program in PROGRAMS]
        units = [part for unit in self.units for part in ("+", "_PID=1", f"UNIT={unit}")]
        fields = "MESSAGE,MESSAGE_ID,UNIT,_COMM,_EXE,_UID,_PID,_TRANSPORT"
        chosen = [
            "--output=json",
            f"--output-fields={fields}",
            f"--lines={LINES}",
            f"--grep={MATTERS}",
            "--case-sensitive=yes",
        ]
        return [*chosen, *programs, "+", "_TRANSPORT=driver", *units]

    async def _read(self, on: Machine, *asked: str) -> bytes:
        """Return what journalctl prints; it also ends well where it may not read, and then complains."""
        place = [f"--file={self.file}"] if self.file else ["--system"]
        ran = await on.look("journalctl", "--no-pager", *place, *asked)
        complaint = " ".join(ran.complaint.decode(errors="replace").split())[:300].rstrip(".")
        if complaint or (ran.code and (ran.code != 1 or "--header" in asked)):  # 1: no entry is like that
            remedy = "Is its account in the group systemd-journal?"
            raise SourceError(
                "unreachable", f"the journal of {on.name} cannot be read: {complaint or ran.code}. {remedy}"
            )
        return ran.output

    def _entries(self, line: Line, host: str) -> Iterator[Entry]:
        program = line.field("_COMM")
        if program in {"sshd", "sshd-session"} and (login := LOGIN.match(line.message)):
            yield _login(line, login, host)
        elif program in {"sudo", "sudo-rs"} and (run := SUDO.match(line.message)):
            yield _sudo(line, run, host)
        elif program == "packagekitd" and (packages := PACKAGES.match(line.message)):
            known_by = "PackageKit names the uid that asked"
            by = f"uid {packages['uid']}"
            yield Entry(line.at, f"{host}:packages", line.message, by=by, known_by=known_by)
        elif line.field("UNIT") in self.units and line.field("_PID") == "1":
            yield Entry(line.at, f"{host}:{line.field('UNIT')}", line.message, known_by=NOT_ASKED)

    def _missing(self, line: Line) -> int:
        """Return how many messages journald says it has not kept, of those that could be shown."""
        if line.field("_TRANSPORT") != "driver" or not (missing := MISSING.match(line.message)):
            return 0
        unit = missing["unit"] or ""
        return int(missing["count"][:9]) if not unit or unit.endswith(OF_USERS) or unit in self.units else 0


def _lines(printed: bytes) -> tuple[list[Line], int]:
    """Return the entries that journalctl has printed, the oldest first, and how many cannot be read."""
    lines, broken = [], 0
    for text in printed.splitlines():
        if text.startswith(b"-- "):  # No entries --
            continue
        try:
            fields = json.loads(text)
            at = EPOCH + timedelta(microseconds=int(fields["__REALTIME_TIMESTAMP"]))
            lines.append(Line(at, _message(fields["MESSAGE"]), fields))
        except (ValueError, KeyError, TypeError, OverflowError):
            broken += 1
    return sorted(lines, key=lambda line: line.at), broken


def _message(message: Any) -> str:
    """Return a message, which journalctl prints as a list of bytes if it is no plain text, and as null if too long."""
    if isinstance(message, list):
        return bytes(message).decode(errors="replace")
    if not isinstance(message, str):
        raise TypeError(message)
    return message


def _joined(lines: Sequence[Line]) -> list[Line]:
    """Return the lines with each long command of sudo, which logs it in pieces, in one."""
    joined: list[Line] = []
    begun: dict[str, int] = {}
    for line in lines:
        process = f"{line.field('_COMM')} {line.field('_PID')}"
        if (more := CONTINUED.match(line.message)) and process in begun:
            first = joined[begun[process]]
            joined[begun[process]] = Line(first.at, f"{first.message} {more['rest']}", first.fields)
        else:
            begun[process] = len(joined)
            joined.append(line)
    return joined


def _login(line: Line, login: re.Match[str], host: str) -> Entry:
    what = f"ssh login as {login['user']} from {login['address']} by {login['way']} {login['key']}"
    by, known_by = _who(line, login["user"], "account that sshd let in")
    return Entry(line.at, f"{host}:ssh", what, by=by, known_by=known_by, is_symptom=True)


def _sudo(line: Line, run: re.Match[str], host: str) -> Entry:
    fields = dict(part.partition("=")[::2] for part in map(str.strip, run["said"].split(";")) if "=" in part)
    refused = " ".join(part.strip() for part in run["said"].split(";") if "=" not in part).strip()
    as_whom = fields.get("USER", "root")
    command = without_secrets(run["command"])
    what = f"{f'refused ({refused})' if refused else 'ran'} as {as_whom}: {command}"
    by, known_by = _who(line, run["user"], "account that called sudo")
    is_sudo = line.field("_EXE").startswith(OF_THE_SYSTEM) and not refused
    recorded = command if is_sudo else ""
    return Entry(line.at, f"{host}:sudo", what, by=by, known_by=known_by, command=recorded, is_run=True)


def _who(line: Line, user: str, role: str) -> tuple[str, str]:
    """Return who did it and how that is known: any user may run a program that calls itself sudo."""
    program = line.field("_EXE")
    if not program:
        return user, f"{role}, not verified: journald did not see whose program said so"
    if program.startswith(OF_THE_SYSTEM):
        return user, f"{role}, as {program} logged it"
    return "", f"forged: {program} of uid {line.field('_UID')} said that it was {user}"


def _oldest(header: str) -> datetime:
    """Return when the oldest entry was made of all files but those of single users.

    Raises:
        SourceError: there is none.
    """
    heads, path = [], ""
    for match in HEAD.finditer(header):
        path = match["path"] or path
        if int(match["head"] or "0", 16) and "/user-" not in path:
            heads.append(EPOCH + timedelta(microseconds=min(int(match["head"], 16), 1 << 52)))
    if not heads:
        raise SourceError("no_data", "the journal has no entry at all. Is it kept on disk, and is journald running?")
    return min(heads)


def _holes(lines: Sequence[Line], ahead: timedelta) -> tuple[Span, ...]:
    """Return when journald was not running."""
    turns = [
        line
        for line in lines
        if line.field("_TRANSPORT") == "driver" and line.field("MESSAGE_ID") in {STARTED, STOPPED}
    ]
    return tuple(
        Span(stop.at - ahead, start.at - ahead)
        for stop, start in pairwise(turns)
        if (stop.field("MESSAGE_ID"), start.field("MESSAGE_ID")) == (STOPPED, STARTED)
    )
