"""Makes journal files with the systemd-journal-remote of Debian's package."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from step_fixtures import need

PROGRAM = "/lib/systemd/systemd-journal-remote"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BOOT, MACHINE = "6ba7b8109dad41d180b400c04fd430c8", "6ba7b8109dad41d180b400c04fd430c9"


@dataclass(frozen=True)
class Entry:
    """An entry of a unit."""

    at: datetime
    message: str | bytes
    priority: int = 6
    unit: str = "orders.service"
    fields: Mapping[str, str] = field(default_factory=dict)
    """More of them, or others."""


def write(file: Path, *entries: Entry) -> Path:
    """Write entries, oldest first, into a new journal file; return it."""
    need(PROGRAM, "journalctl")
    exported = b"".join(_exported(entry, place) for place, entry in enumerate(entries, 1))
    made = subprocess.run([PROGRAM, f"--output={file}", "-"], input=exported, capture_output=True, check=False)
    assert made.returncode == 0, made.stderr
    return file


def _exported(entry: Entry, place: int) -> bytes:
    """Return an entry in the export format; a message that is no text of one line is written with its length."""
    fields = {
        "__REALTIME_TIMESTAMP": f"{(entry.at - EPOCH) // timedelta(microseconds=1)}",
        "__MONOTONIC_TIMESTAMP": f"{place}",
        "_BOOT_ID": BOOT,
        "_MACHINE_ID": MACHINE,
        "PRIORITY": f"{entry.priority}",
        "_SYSTEMD_UNIT": entry.unit,
        **entry.fields,
    }
    message = entry.message if isinstance(entry.message, bytes) else entry.message.encode()
    lines = "".join(f"{name}={value}\n" for name, value in fields.items()).encode()
    return lines + b"MESSAGE\n" + len(message).to_bytes(8, "little") + message + b"\n\n"
