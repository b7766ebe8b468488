"""Runs a program that only reads with root's rights, where the account of a connection may run just that by sudo."""

from collections.abc import Awaitable, Callable

from changewindow.systems.measurement import SourceError
from changewindow.systems.process.output import Printed

Run = Callable[..., Awaitable[Printed]]
"""Runs a program, here or on the host named `host`."""
HERE = "this machine"
REFUSED = b"sudo: "


def place(host: str | None) -> str:
    """Return what names a host in entries: its connection, which stays when its address changes."""
    return host or HERE


async def look(run: Run, arguments: tuple[str, ...], *, host: str | None, by_sudo: bool, kind: str) -> Printed:
    """Return what a program prints, and its exit code.

    Raises:
        SourceError: `unreachable`, it cannot be run there, or sudo does not allow it; the text says what to do.
    """
    ran = await run(*(("sudo", "-n", "--", *arguments) if by_sudo else arguments), host=host)
    if by_sudo and ran.code and ran.complaint.lstrip().startswith(REFUSED):
        refused = f"sudo on {place(host)} does not let us run '{arguments[0]}': {complaint(ran)}"
        raise SourceError("unreachable", f"{refused}. Add the lines that `changewindow kinds {kind}` prints to sudoers")
    return ran


async def read(run: Run, arguments: tuple[str, ...], *, host: str | None, by_sudo: bool, kind: str) -> bytes:
    """Return what a program prints, which has to end well; see `look`.

    Raises:
        SourceError: it failed; the text holds its last complaint.
    """
    ran = await look(run, arguments, host=host, by_sudo=by_sudo, kind=kind)
    if ran.code:
        remedy = f"Does its account have the rights that `changewindow kinds {kind}` names?"
        raise SourceError("unreachable", f"'{arguments[0]}' on {place(host)} failed: {complaint(ran)}. {remedy}")
    return ran.output


def complaint(ran: Printed) -> str:
    """Return the last line that a program complained with, or its exit code."""
    last = ran.complaint.decode(errors="replace").strip().splitlines()[-1:]
    return " ".join(last)[:300].rstrip(".") or f"exit code {ran.code}"
