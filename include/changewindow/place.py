"""Runs programs where a step wants them: on a host through `ssh`, or on the worker itself."""

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from changewindow.connection import Connection
from changewindow.context import Context, Ran
from changewindow.errors import StepFailed
from changewindow.ssh import reach
from changewindow.ssh_refusals import why

TETHER = Path(__file__).with_name("tether.py")
REFUSED = 255
"""The exit code of `ssh` when it failed itself. A program's own 255 is told as 254."""
FOLLOWED = (
    "IFS= read -r content; "
    'exec 3<&0; patience=; command -v timeout >/dev/null && patience="timeout 20"; '
    '{ while [ -n "$($patience head -c 1 <&3)" ]; do :; done; kill -9 0; } >/dev/null 2>&1 & beat=$!; '
    'exec 3<&-; printf %s "$content" | base64 -d | "$@"; code=$?; '
    "kill $beat; [ $code = 255 ] && code=254; exit $code"
)
"""Runs a program for who holds the tether: its standard input is the content; without a sign for 20 s, or when the
connection closes, the whole process group is killed. `sshd` gives each command a group of its own."""


@dataclass(frozen=True)
class Place:
    """A host, named by its connection, or the worker itself where there is none."""

    context: Context
    connection: str | None = None

    @property
    def name(self) -> str:
        """Return what people call it: `deploy@app-1`, or `the worker`."""
        found = self._found()
        if found is None:
            return "the worker"
        return f"{found.login}@{found.host}" if found.login else found.host

    def look(self, arguments: Sequence[str], *, content: bytes = b"", quiet: bool = True) -> Ran:
        """Run a program that only reads, with the content on its standard input.

        Raises:
            StepFailed: the host was not reached; the text says why and what to do.
        """
        return self._there(self.context.look, arguments, content=content, quiet=quiet)

    def run(self, arguments: Sequence[str], *, content: bytes = b"", quiet: bool = False, says: str = "") -> Ran:
        """Run a program that acts; a dry run only says so. It dies with us, or when the connection does."""
        return self._there(self.context.run, arguments, content=content, quiet=quiet, says=says)

    def _there(
        self, how: Callable[..., Ran], arguments: Sequence[str], *, content: bytes, quiet: bool, says: str = ""
    ) -> Ran:
        found, followed = self._found(), ["/bin/sh", "-c", FOLLOWED, "sh", *arguments]
        with self.context.workspace() as folder:
            held = folder / "content"
            held.touch(mode=0o600)
            held.write_bytes(content)
            tethered = [sys.executable, "-I", "-S", str(TETHER), str(held)]
            line = says or shlex.join(arguments)
            if found is None:
                return how([*tethered, *followed], quiet=quiet, says=line)
            reached = reach(found, folder)
            if not reached.is_checked:
                self.context.log(f"the host key of {found.host} is not checked: {found.name} says no_host_key_check")
            ssh = [*tethered, *reached.arguments, shlex.join(followed)]
            ran = how(ssh, environment=reached.environment, quiet=quiet, says=f"{self.name}: {line}")
        if ran.code == REFUSED:
            raise StepFailed(why(found, ran.output))
        return ran

    def _found(self) -> Connection | None:
        return self.context.connection(self.connection) if self.connection else None
