"""Reads the records of auditd as its log has them, and puts together those of one event."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

RECORD = re.compile(
    r"(?:node=(?P<node>\S+) )?type=(?P<type>\w+) msg=audit\((?P<at>\d{1,11}\.\d{1,6}):(?P<serial>\d+)\): ?(?P<rest>.*)"
)
FIELD = re.compile(r"([A-Za-z][\w-]*(?:\[\d+\])?)=(\"[^\"]*\"|'[^']*'|\S*)")
ARGUMENT = re.compile(r"a(\d+)(?:\[\d+\])?")
ENRICHED = "\x1d"
"""Stands between a record and the names that the host had for its numbers then."""
UNSET = ("4294967295", "-1", "")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OPENING = {
    ("c000003e", "2"): "a1",
    ("c000003e", "257"): "a2",
    ("c00000b7", "56"): "a2",
    ("40000003", "5"): "a1",
    ("40000003", "295"): "a2",
}
"""Which argument of the calls that open a file says what for, by architecture and number."""
WRITES = 0o3 | 0o1000
"""Bits of that: it is opened for writing, or made empty."""


@dataclass
class Event:
    """What was recorded at one moment under one number; each record is its fields, and each kind may come often."""

    at: datetime
    records: dict[str, list[Mapping[str, str]]] = field(default_factory=dict)

    def first(self, kind: str) -> Mapping[str, str]:
        """Return the first record of a kind, or nothing."""
        return self.records.get(kind, [{}])[0]

    def any(self) -> Mapping[str, str]:
        """Return the record that says who it was."""
        return self.first("SYSCALL") or next((record for of_kind in self.records.values() for record in of_kind), {})

    @property
    def only_reads(self) -> bool:
        """Return whether a file was opened, and not for writing."""
        call = self.first("SYSCALL")
        flags = OPENING.get((call.get("arch", ""), call.get("syscall", "")))
        try:
            return flags is not None and not int(call.get(flags, ""), 16) & WRITES
        except ValueError:
            return False

    @property
    def arguments(self) -> list[str]:
        """Return the command line that was run, or the one of the program that did it."""
        parts: dict[int, str] = {}
        for record in self.records.get("EXECVE", []):
            for name, value in record.items():
                if match := ARGUMENT.fullmatch(name):
                    parts[int(match[1])] = parts.get(int(match[1]), "") + decoded(value)
        if parts:
            return [parts[place] for place in sorted(parts)]
        return decoded(self.first("PROCTITLE").get("proctitle", "")).rstrip("\0").split("\0")

    def files(self) -> Iterator[tuple[str, str]]:
        """Yield each file it was about, and what was done to it: `CREATE`, `DELETE` or `NORMAL`."""
        folder = decoded(self.first("CWD").get("cwd", ""))
        for record in self.records.get("PATH", []):
            name, done = decoded(record.get("name", "")), record.get("nametype", "NORMAL")
            if name and done in {"CREATE", "DELETE", "NORMAL"}:
                yield (name if name.startswith("/") else f"{folder.rstrip('/')}/{name}"), done


def decoded(value: str) -> str:
    """Return a text that is quoted, or, if a user could have chosen signs in it that mislead, in hex."""
    if value[:1] in {'"', "'"}:
        return value[1:-1]
    try:
        return bytes.fromhex(value).decode(errors="replace")
    except ValueError:
        return "" if value == "(null)" else value


def events(printed: str) -> tuple[list[Event], int]:
    """Return the events of raw records, the oldest first, and how many records cannot be read."""
    known: dict[tuple[str, str, str], Event] = {}
    broken = 0
    for line in printed.split("\n"):
        if match := RECORD.fullmatch(line):
            at = EPOCH + timedelta(seconds=float(match["at"]))
            event = known.setdefault((match["node"] or "", match["at"], match["serial"]), Event(at))
            event.records.setdefault(match["type"], []).append(_fields(match["rest"]))
        elif line.strip(" \0") and line != "----":
            broken += 1
    return sorted(known.values(), key=lambda event: event.at), broken


def _fields(rest: str) -> dict[str, str]:
    raw, _, names = rest.partition(ENRICHED)
    return dict(FIELD.findall(raw)) | {f"named {name}": value for name, value in FIELD.findall(names)}


def who(record: Mapping[str, str]) -> tuple[str, bool]:
    """Return who logged in as whom this was done, or an empty text, and whether the log has his name."""
    number, name = record.get("auid", ""), decoded(record.get("named AUID", ""))
    if number in UNSET:
        return "", False
    return (name, True) if name and name != "unset" else (f"uid {number}", False)
