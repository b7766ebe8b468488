"""Runs programs where a step wants them: on a host through `ssh`, or on the worker itself."""

import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from changewindow.errors import StepFailed
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context, Ran
from changewindow.systems.hosts.ssh import reach
from changewindow.systems.hosts.ssh_refusals import may_run, why

HEARTBEAT = Path(__file__).with_name("heartbeat.py")
REFUSED = 255
"""The exit code of `ssh` when it failed itself. A program's own 255 is told as 254."""
MISSING = 9
PATIENCE, MARGIN = 20.0, 2.0
"""Seconds without a sign after which a host kills what it runs for us, and what we wait longer for that."""
FOLLOWED = (
    "IFS= read -r content || exit; "
    'exec 3<&0; patience=; command -v timeout >/dev/null && patience="timeout $1"; shift; '
    '{ while [ -n "$($patience head -c 1 <&3)" ]; do :; done; kill -9 0; } >/dev/null 2>&1 & beat=$!; '
    'exec 3<&-; printf %s "$content" | base64 -d | "$@"; code=$?; '
    "kill $beat; [ $code = 255 ] && code=254; exit $code"
)
"""Runs a program for who holds the tether: its standard input is the content; without a sign for as many seconds as the
first argument says, or when the connection closes, the whole process group is killed. `sshd` gives each command a group
of its own."""


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
        """Run a program that acts; a dry run only says so. It dies with us, or when the connection does.

        Raises:
            StepFailed: the host was not reached, or was lost; then nothing that was run there acts any more.
        """
        return self._there(self.context.run, arguments, content=content, quiet=quiet, says=says)

    def has(self, program: str) -> bool:
        """Return whether a program is there.

        Raises:
            StepFailed: no program runs there, as with an account that is locked or has another shell.
        """
        ran = self.look(["sh", "-c", f'command -v "$0" > /dev/null || exit {MISSING}', program])
        if ran.code not in {0, MISSING}:
            says = ran.output.strip().rpartition("\n")[2] or f"exit code {ran.code}"
            raise StepFailed(f"{self.name} runs no program for us: {says}. Can the account log in and use a shell?")
        return ran.code == 0

    def _there(
        self, how: Callable[..., Ran], arguments: Sequence[str], *, content: bytes, quiet: bool, says: str = ""
    ) -> Ran:
        found, followed = self._found(), ["/bin/sh", "-c", FOLLOWED, "sh", str(PATIENCE), *arguments]
        with self.context.workspace() as folder:
            held = folder / "content"
            held.touch(mode=0o600)
            held.write_bytes(content)
            tethered = [sys.executable, "-I", "-S", str(HEARTBEAT), str(held)]
            line = says or shlex.join(arguments)
            if found is None:
                return how([*tethered, *followed], quiet=quiet, says=line)
            if shutil.which("ssh") is None:
                raise StepFailed("The worker has no program ssh. Install the client of OpenSSH on every worker.")
            reached = reach(found, folder)
            if not reached.is_checked:
                self.context.log(f"the host key of {found.host} is not checked: {found.name} says no_host_key_check")
            ssh = [*tethered, *reached.arguments, shlex.join(followed)]
            ran = how(ssh, environment=reached.environment, quiet=quiet, says=f"{self.name}: {line}")
        if ran.code == REFUSED:
            if how == self.context.run and may_run(ran.output):
                self.context.log(f"waiting {PATIENCE:.0f} s, after which the host has killed what may still run there")
                self.context.stopped.wait(PATIENCE + MARGIN)
            raise StepFailed(why(found, ran.output))
        return ran

    def _found(self) -> Connection | None:
        return self.context.connection(self.connection) if self.connection else None
