"""Runs a program with its arguments on a host, through OpenSSH; undo runs the program the ticket gives for it.

The Airflow Connection is of type SSH: host, port, login, password, and in its extra field key_file or private_key with
private_key_passphrase, host_key, no_host_key_check, conn_timeout, compress, ciphers, disabled_algorithms,
look_for_keys, host_proxy_cmd, proxy_jump. The host's key is checked: against host_key, or else against known_hosts of
the worker. A bastion is `proxy_jump: user@bastion:22`, which is let in with the same key and is checked against
proxy_jump_host_key or known_hosts; more than one come from `~/.ssh/config` of the worker.

The host needs a POSIX shell and `base64`. No shell reads the arguments; they arrive as they stand in the ticket, unless
it asks for a shell with `shell:`. The program must end with exit code 0; its output goes to the task log.

When the task dies or loses the step lock, the connection closes, and the host kills the program with everything in its
process group: at once when it learns of the end, and 20 s after the last heartbeat when the network is gone (where
the host has `timeout`, which all Linux hosts do). Not reached is what left that group by `setsid`, as daemons do, and
what the program has asked others to do, such as a service that systemd starts.
"""

from typing import ClassVar, Literal

from pydantic import Field

from changewindow.documents.types import ConnectionName
from changewindow.errors import StepFailed
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context
from changewindow.systems.hosts.host import Host
from changewindow.systems.place import Sort
from changewindow.systems.process.command import Program, arguments_of, line_of

EXAMPLE = {
    "name": "Take app-1 out of the pool",
    "kind": "ssh_command",
    "connection": "app_1",
    "run": ["touch", "/tmp/changewindow-out-of-pool"],
    "undo": ["rm", "-f", "/tmp/changewindow-out-of-pool"],
}


class Step(StepBase):
    """A program to run on a host, with the program that undoes it."""

    kind: Literal["ssh_command"] = "ssh_command"
    why_not_before_approval: ClassVar[str] = "it would start a program on the host"
    acts_on: ClassVar[Sort] = "host"
    connection: ConnectionName = Field(min_length=1)
    """The Airflow Connection (SSH) of the host."""
    run: Program
    """The program and its arguments, as a list; or `shell: "…"`."""
    undo_run: Program | Literal["nothing"] = Field(alias="undo")
    """The program that undoes it; `nothing` when the program only reads."""
    secret: ConnectionName | None = None
    """An Airflow Connection whose password both programs get on their standard input, as `sudo -S` reads it."""

    def does(self) -> str:
        """Describe the command line and the host."""
        return f"{line_of(self.run)} on {self.connection}"

    def undoes(self) -> str:
        """Describe the command line of undo."""
        return "nothing to undo" if self.undo_run == "nothing" else f"{line_of(self.undo_run)} on {self.connection}"

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return whether the host cannot be reached, or has no program for undo."""
        if self.secret:
            context.secret(self.secret)
        host = Host(context, self.connection)
        name = "true" if self.undo_run == "nothing" else arguments_of(self.undo_run)[0]
        if host.has(name):
            return []
        advice = "Install it there, or write it as `shell:` if an earlier step brings it."
        return [f"{host.name} has no program {name}, which undo needs. {advice}"]

    def apply(self, context: Context, remembered: Memory) -> None:
        """Run the program."""
        self._run(context, self.run)

    def undo(self, context: Context, remembered: Memory) -> None:
        """Run the program that undoes it."""
        if self.undo_run == "nothing":
            context.log("nothing to undo: the ticket says that the program only reads")
        else:
            self._run(context, self.undo_run)

    def _run(self, context: Context, program: Program) -> None:
        host = Host(context, self.connection)
        content = f"{context.secret(self.secret)}\n".encode() if self.secret else b""
        ran = host.run(arguments_of(program), content=content)
        if ran.code:
            raise StepFailed(
                f"'{line_of(program)}' on {host.name} ended with exit code {ran.code}; its output is in the log."
            )
