"""Runs programs that only read on a machine, as root where the account may run just those by sudo."""

import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from changewindow.systems.collection import NOW, Span
from changewindow.systems.connection import Connection
from changewindow.systems.git.history import time_of
from changewindow.systems.measurement import SourceError
from changewindow.systems.process.output import Printed

Run = Callable[..., Awaitable[Printed]]
"""Runs a program, on the host of the connection `host`, or here."""
Connect = Callable[[str], Awaitable[Connection]]
Line = tuple[str, ...]
"""A program with its arguments."""
SUDO = ("sudo", "-n", "--")
REFUSED = b"sudo: "


@dataclass(frozen=True)
class Machine:
    """A machine that a collector looks at."""

    name: str
    run: Run
    connection: str | None = None
    by_sudo: Sequence[Line] = ()
    """What runs as root by sudo, each line whole; anything else runs as the account."""
    kind: str = ""
    """The collector whose documentation says which rights it needs."""

    async def look(self, *arguments: str) -> Printed:
        """Return what a program prints, and its exit code.

        Raises:
            SourceError: `unreachable`, it cannot be run there, or sudo does not allow it; the text says what to do.
        """
        is_root = arguments in self.by_sudo
        ran = await self.run(*((*SUDO, *arguments) if is_root else arguments), host=self.connection)
        if is_root and ran.code and ran.complaint.lstrip().startswith(REFUSED):
            refused = f"sudo on {self.name} does not let us run '{arguments[0]}': {complaint(ran)}"
            remedy = f"Add the lines that `changewindow kinds {self.kind}` prints to sudoers"
            raise SourceError("unreachable", f"{refused}. {remedy}")
        return ran

    async def read(self, *arguments: str) -> bytes:
        """Return what a program prints, which has to end well; see `look`.

        Raises:
            SourceError: it failed; the text holds its last complaint.
        """
        ran = await self.look(*arguments)
        if ran.code:
            remedy = f"Has its account the rights that `changewindow kinds {self.kind}` names?"
            raise SourceError("unreachable", f"'{arguments[0]}' on {self.name} failed: {complaint(ran)}. {remedy}")
        return ran.output

    async def changed(self, paths: Sequence[str]) -> dict[str, tuple[datetime, datetime]]:
        """Return ctime and mtime of those files that the account may look at, without sudo."""
        printed = await self.run("stat", r"--printf=%Z %Y %n\0", "--", *paths, host=self.connection)
        lines = [line.split(" ", 2) for line in printed.output.decode(errors="surrogateescape").split("\0")]
        return {line[2]: (time_of(line[0]), time_of(line[1])) for line in lines if len(line) > 2}


async def machine(
    connect: Connect, run: Run, connection: str | None, *, by_sudo: Sequence[Line] = (), kind: str = ""
) -> Machine:
    """Return the machine of an SSH connection, under its address; without a connection, this one."""
    name = (await connect(connection)).host if connection else socket.gethostname()
    return Machine(name, run, connection, by_sudo, kind)


def latest(span: Span, ahead: timedelta) -> datetime:
    """Return by when, on the clock of a machine that is ahead, what is seen now has happened.

    That is now, or the end of a span that was up to now when somebody asked for it.
    """
    now = datetime.now(UTC)
    return (span.until if abs(now - span.until) < NOW else now) + ahead


def complaint(ran: Printed) -> str:
    """Return the last line that a program complained with, or its exit code."""
    last = ran.complaint.decode(errors="replace").strip().splitlines()[-1:]
    return " ".join(last)[:300].rstrip(".") or f"exit code {ran.code}"
