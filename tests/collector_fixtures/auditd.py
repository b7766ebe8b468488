"""A world for `auditd`: a folder with a log as auditd writes it, read by Debian's ausearch and aureport."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from changewindow.collectors.auditd import EXAMPLE
from collector_fixtures import Made, World
from step_fixtures import need

SERIAL = count(100)
ENRICHED = '\x1dARCH=x86_64 SYSCALL=openat AUID="dora" UID="root" GID="root"'
WHO = "ppid=1 pid=700 auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=3"
LONGEST = 4095
"""Bytes of a path for Linux."""


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Make it, with a record of when auditd started."""
    need("ausearch", "aureport", "auditctl")
    log = folder / "audit.log"
    log.touch()
    at = datetime.now(UTC) - timedelta(hours=1)
    record(
        log, "type=DAEMON_START {}: op=start ver=3.0.9 format=enriched auid=4294967295 pid=600 uid=0 res=success", at=at
    )

    def change() -> Made:
        record(log, *edited('"/etc/hosts"'))
        return Made(f"{socket.gethostname()}:/etc/hosts", "dora", "written, or its attributes changed by /usr/bin/vim")

    def hostile(text: str) -> None:
        record(log, *edited(f"/{text}".encode()[:LONGEST].hex().upper()))

    collector = {**EXAMPLE, "connection": None, "log": str(folder), "sudo": False, "within": "30s"}
    yield World(collector, change, hostile, {**collector, "log": str(folder / "gone")})


def edited(name: str, *, call: str = "", names: str = ENRICHED) -> tuple[str, ...]:
    """Return the records of a file that vi has written; `call` replaces fields of the system call."""
    fields = f"arch=c000003e syscall=257 success=yes exit=3 a0=ffffff9c a1=55d a2=241 a3=1b6 {call}"
    return (
        f'type=SYSCALL {{}}: {fields} items=2 {WHO} comm="vi" exe="/usr/bin/vim" key="etc"{names}',
        'type=CWD {}: cwd="/root"',
        'type=PATH {}: item=0 name="/etc/" inode=1 dev=08:01 mode=040755 ouid=0 nametype=PARENT',
        f"type=PATH {{}}: item=1 name={name} inode=5 dev=08:01 mode=0100644 ouid=0 nametype=NORMAL",
        "type=PROCTITLE {}: proctitle=7669002F6574632F686F737473",
    )


def record(log: Path, *records: str, at: datetime | None = None) -> None:
    """Write the records of an event, by default of now."""
    milliseconds = int((at or datetime.now(UTC)).timestamp() * 1000)  # the kernel does not round them up
    moment = f"msg=audit({milliseconds / 1000:.3f}:{next(SERIAL)})"
    with log.open("a", encoding="utf-8") as file:
        file.write("".join(f"{line.replace('{}', moment, 1)}\n" for line in records))
