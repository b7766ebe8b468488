"""What a step may use to look at the world and to act on it."""

import io
import os
import select
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import requests

from changewindow.connection import Connection
from changewindow.errors import StepFailed, TurnRevoked, UnusableConnection

KEPT_LINES = 1000
GUARD = Path(__file__).with_name("guard.py")


@dataclass(frozen=True)
class Ran:
    """A program that has ended: its arguments, exit code and output (standard output and error together)."""

    arguments: tuple[str, ...]
    code: int
    output: str


@dataclass(frozen=True)
class Replied:
    """A reply to an HTTP request."""

    status: int
    text: str


@dataclass
class Context:
    """Hands a step its clients; what acts goes through `run` or `call`, so dry runs hold."""

    change: str
    """The id of the change, such as `CHG-1042`."""
    step: int
    """The number of the step, from 1."""
    connections: Callable[[str], Connection]
    log: Callable[[str], None]
    dry_run: bool = False
    is_stopped: bool = False
    """Whether this task has lost its turn: nothing acts through this context any more."""
    running: list["Program"] = field(default_factory=list)

    @property
    def mark(self) -> str:
        """Return what identifies this step in the world, for instance in a commit message: `CHG-1042/1`."""
        return f"{self.change}/{self.step}"

    def connection(self, name: str) -> Connection:
        """Return the Airflow Connection of this name.

        Raises:
            UnknownConnection: there is none.
        """
        return self.connections(name)

    def secret(self, connection: str) -> str:
        """Return the password of a connection, for use in this moment only."""
        password = self.connection(connection).password
        if not password:
            raise UnusableConnection(connection, "password")
        return password

    def stop(self) -> None:
        """End what acts through this context, for good; returns when programs are dead. Any thread may call it."""
        self.is_stopped = True
        for program in list(self.running):
            program.kill()

    def require_turn(self) -> None:
        """Make sure that this task may still act.

        Raises:
            TurnRevoked: it may not.
        """
        if self.is_stopped:
            raise TurnRevoked(self.change, f"step {self.step}")

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """Lend an empty folder that is removed afterwards."""
        with tempfile.TemporaryDirectory(prefix=f"{self.change}-{self.step}-") as folder:
            yield Path(folder)

    def look(self, arguments: Sequence[str], **options: Any) -> Ran:
        """Run a program that only reads; it runs in a dry run too. Options as for `run`."""
        return self._program(arguments, **options)

    def run(self, arguments: Sequence[str], **options: Any) -> Ran:
        """Run a program that acts, and wait for its end; a dry run only says so.

        Options: `folder` (working directory), `environment` (added to ours), `quiet` (do not log the output).

        Raises:
            StepFailed: the program does not exist.
            TurnRevoked: the task may no longer act.
        """
        if self.dry_run:
            self.log(f"dry run, not done: {' '.join(arguments)}")
            return Ran(tuple(arguments), 0, "")
        self.require_turn()
        return self._program(arguments, **options)

    def ask(self, connection: str, path: str) -> Replied:
        """Send a GET request, which only reads."""
        return self._request(connection, "GET", path, None)

    def call(self, connection: str, method: str, path: str, body: Any = None) -> Replied:
        """Send an HTTP request that acts; a dry run only says so.

        Raises:
            StepFailed: no reply came; whether the request had an effect is unknown.
            TurnRevoked: the task may no longer act.
        """
        if self.dry_run:
            self.log(f"dry run, not done: {method} {self.connection(connection).base_url}{path}")
            return Replied(0, "")
        self.require_turn()
        return self._request(connection, method, path, body)

    def _request(self, name: str, method: str, path: str, body: Any) -> Replied:
        connection = self.connection(name)
        url = f"{connection.base_url}{path}"
        try:
            reply = requests.request(
                method, url, json=body, auth=connection.credentials, timeout=30, allow_redirects=False
            )
        except requests.RequestException as error:
            raise StepFailed(f"{method} {url} got no reply: {type(error).__name__}. Is the service up?") from error
        self.log(f"{method} {url} -> {reply.status_code}")
        return Replied(reply.status_code, reply.text)

    def _program(
        self,
        arguments: Sequence[str],
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        quiet: bool = False,
    ) -> Ran:
        self.log(f"$ {' '.join(arguments)}")
        kept: deque[str] = deque(maxlen=KEPT_LINES)
        with guarded(arguments, folder=folder, environment=environment) as program, self._stoppable(program):
            for line in program.lines():
                kept.append(line)
                if not quiet:
                    self.log(line)
            code = program.process.wait()
        self.require_turn()
        if quiet and code:
            for line in kept:
                self.log(line)
        if not quiet or code:
            self.log(f"exit code {code}")
        return Ran(tuple(arguments), code, "\n".join(kept))

    @contextmanager
    def _stoppable(self, program: "Program") -> Iterator[None]:
        """Let `stop` reach a program while it runs, also when it was called while the program started."""
        self.running.append(program)
        try:
            self.require_turn()
            yield
        finally:
            self.running.remove(program)


@dataclass(frozen=True)
class Program:
    """A running program, on a leash: closing the leash kills it with everything it started."""

    process: "subprocess.Popen[bytes]"
    leash: io.FileIO

    def kill(self) -> None:
        """Kill it and wait until it is gone."""
        self.leash.close()
        self.process.wait()

    def lines(self) -> Iterator[str]:
        """Yield the lines of its output until it ends, also when a daemon it started keeps the output open."""
        output, ended = cast("IO[bytes]", self.process.stdout).fileno(), os.pidfd_open(self.process.pid)
        rest = b""
        try:
            while True:
                ready, _, _ = select.select([output, ended], [], [])
                chunk = os.read(output, 65536) if output in ready else b""
                *whole, rest = (rest + chunk).split(b"\n")
                yield from (line.decode(errors="replace") for line in whole)
                if not chunk:
                    break
        finally:
            os.close(ended)
        if rest:
            yield rest.decode(errors="replace")


@contextmanager
def guarded(
    arguments: Sequence[str], *, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[Program]:
    """Start a program that cannot outlive this block nor this process; see `guard`."""
    read_end, write_end = os.pipe()
    with io.FileIO(write_end, "wb") as leash, io.FileIO(read_end, "rb") as held:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), str(read_end), *arguments],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[read_end],
            start_new_session=True,
        )
        held.close()
        program = Program(process, leash)
        try:
            yield program
        finally:
            program.kill()
            if process.stdout:
                process.stdout.close()
