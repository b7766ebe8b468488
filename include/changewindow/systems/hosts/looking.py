"""Runs a program that only reads on a host, through `ssh`, without blocking the event loop."""

import shlex
import tempfile
from pathlib import Path

from changewindow.systems.connection import Connection
from changewindow.systems.hosts.ssh import reach
from changewindow.systems.hosts.ssh_refusals import why
from changewindow.systems.measurement import SourceError
from changewindow.systems.process.output import Printed, printed

MISSING = 127
"""The exit code of a shell that does not find a program."""
REFUSED = 255
"""The exit code with which `ssh` itself fails."""
LONGEST = "60"
"""Seconds."""
LIMITED = 'command -v timeout >/dev/null && exec timeout "$@"; shift; exec "$@"'
"""Ends a program on a host even where the host does not hear that nobody waits any more."""


async def printed_on(connection: Connection, *arguments: str, running: set[int] | None = None) -> Printed:
    """Run a program on the host of an SSH connection; see `printed`.

    Raises:
        SourceError: `unreachable`, it cannot be run there; the text says why, and what to do.
        UnusableConnection: the connection does not say enough.
    """
    line = shlex.join(["sh", "-c", LIMITED, "sh", LONGEST, *arguments])
    with tempfile.TemporaryDirectory(prefix="changewindow-look-") as folder:
        reached = reach(connection, Path(folder))
        try:
            ran = await printed(*reached.arguments, line, environment=reached.environment, running=running)
        except OSError as error:
            raise SourceError("unreachable", "this machine has no program ssh. Install the OpenSSH client") from error
    if ran.code == REFUSED:
        raise SourceError("unreachable", why(connection, ran.complaint.decode(errors="replace")))
    if ran.code == MISSING:
        missing = f"{connection.host} has no program '{arguments[0]}'"
        raise SourceError("unreachable", f"{missing}. Install it there, or take the collector out of collectors.yaml")
    return ran
