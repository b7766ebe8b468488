"""Runs programs on a host through `ssh`, or on the worker itself."""

import shlex
import shutil
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from changewindow.errors import StepFailed
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context, Ran
from changewindow.systems.hosts.ssh import reach
from changewindow.systems.hosts.ssh_refusals import may_run, why

HEARTBEAT = Path(__file__).with_name("heartbeat.py")
REFUSED = 255
"""The exit code with which `ssh` itself fails. When the program ends with 255, we see 254."""
MISSING = 9
PATIENCE, MARGIN = 20.0, 2.0
"""Seconds without a heartbeat after which a host kills what it runs for us, and how much longer we wait for that."""
WATCHED = (
    "IFS= read -r content || exit; "
    'exec 3<&0; patience=; command -v timeout >/dev/null && patience="timeout $1"; shift; '
    '{ while [ -n "$($patience head -c 1 <&3)" ]; do :; done; kill -9 0; } >/dev/null 2>&1 & beat=$!; '
    'exec 3<&-; printf %s "$content" | base64 -d | "$@"; code=$?; '
    "kill $beat; [ $code = 255 ] && code=254; exit $code"
)
"""Runs a program as long as the heartbeat comes. Its standard input is the content; without a heartbeat for as many
seconds as the first argument says, or when the connection closes, its whole process group is killed. `sshd` gives each
command a group of its own."""


@dataclass(frozen=True)
class Host:
    """A host, named by its connection, or the worker itself where there is none."""

    context: Context
    connection: str | None = None

    @property
    def name(self) -> str:
        """Return its name for messages: `deploy@app-1`, or `the worker`."""
        connection = self._connection()
        if connection is None:
            return "the worker"
        return f"{connection.login}@{connection.host}" if connection.login else connection.host

    def look(
        self, arguments: Sequence[str], *, content: bytes = b"", quiet: bool = True, answers: Collection[int] = ()
    ) -> Ran:
        """Run a program that only reads, with the content on its standard input.

        Raises:
            StepFailed: the host could not be reached; the text says why and what to do.
        """
        return self._run(arguments, content=content, quiet=quiet, acts=False, answers=answers)

    def run(
        self, arguments: Sequence[str], *, content: bytes = b"", shown_as: str = "", answers: Collection[int] = ()
    ) -> Ran:
        """Run a program that acts; a dry run only logs it. The program is killed when we die or the connection breaks.

        Raises:
            StepFailed: the host could not be reached, or the connection broke; then nothing we ran there acts any more.
        """
        return self._run(arguments, content=content, shown_as=shown_as, acts=True, answers=answers)

    def has(self, program: str) -> bool:
        """Return whether the host has a program.

        Raises:
            StepFailed: nothing runs there at all, as when the account is locked or has no usable shell.
        """
        ran = self.look(["sh", "-c", f'command -v "$0" > /dev/null || exit {MISSING}', program], answers=(MISSING,))
        if ran.code not in {0, MISSING}:
            reason = ran.output.strip().rpartition("\n")[2] or f"exit code {ran.code}"
            raise StepFailed(f"No program can be run on {self.name}: {reason}. Can the account log in and use a shell?")
        return ran.code == 0

    def _run(
        self,
        arguments: Sequence[str],
        *,
        content: bytes,
        acts: bool,
        answers: Collection[int],
        quiet: bool = False,
        shown_as: str = "",
    ) -> Ran:
        connection, watched = self._connection(), ["/bin/sh", "-c", WATCHED, "sh", str(PATIENCE), *arguments]
        with self.context.temporary_folder() as folder:
            file = folder / "content"
            file.touch(mode=0o600)
            file.write_bytes(content)
            beating = [sys.executable, "-I", "-S", str(HEARTBEAT), str(file)]
            line = shown_as or shlex.join(arguments)
            if connection is None:
                command = [*beating, *watched]
                return self.context.run(command, acts=acts, quiet=quiet, answers=answers, shown_as=line)
            if shutil.which("ssh") is None:
                raise StepFailed("The worker has no program ssh. Install the OpenSSH client on every worker.")
            reached = reach(connection, folder)
            if not reached.is_checked:
                self.context.log(
                    f"the host key of {connection.host} is not checked: {connection.name} says no_host_key_check"
                )
            command, line = [*beating, *reached.arguments, shlex.join(watched)], f"{self.name}: {line}"
            known = reached.environment
            ran = self.context.run(command, acts=acts, environment=known, quiet=quiet, answers=answers, shown_as=line)
        if ran.code == REFUSED:
            if acts and may_run(ran.output):
                self.context.log(f"waiting {PATIENCE:.0f} s: by then the host has killed whatever still runs there")
                self.context.stopped.wait(PATIENCE + MARGIN)
            raise StepFailed(why(connection, ran.output))
        return ran

    def _connection(self) -> Connection | None:
        return self.context.connection(self.connection) if self.connection else None
