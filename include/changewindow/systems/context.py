"""What a step may use to look at the world and to act on it."""

import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar, Unpack

from changewindow.documents.types import duration_text
from changewindow.errors import LockRevoked, StepFailed, UnusableConnection
from changewindow.systems import authorization
from changewindow.systems.connection import Connection
from changewindow.systems.http.exchange import Replied, Request
from changewindow.systems.process.account import OURS, account_for_tickets
from changewindow.systems.process.supervised import Program, ProgramOptions, guarded
from changewindow.systems.secrecy import Secrets

T = TypeVar("T")
Ended = Literal["applied", "failed", "cut_short"]
"""How apply ended: done, failed of its own accord, or cut short: what it has set in motion may still happen."""
KEPT_LINES = 1000


@dataclass(frozen=True)
class Ran:
    """A program that has ended: its arguments, exit code and output (standard output and error together)."""

    arguments: tuple[str, ...]
    code: int
    output: str


@dataclass
class Context:
    """Hands a step its clients; what acts goes through `run`, `call` or `act`, so dry runs hold."""

    change: str
    """The id of the change, such as `CHG-1042`."""
    step: int
    """The number of the step, from 1."""
    connections: Callable[[str], Connection]
    log: Callable[[str], None]
    """Takes a line; what is secret is taken out of it before, and control characters are made visible."""
    dry_run: bool = False
    apply_ended: Ended = "applied"
    """For undo: how the apply that it undoes has ended."""
    stopped: threading.Event = field(default_factory=threading.Event)
    """Set when this task has lost the step lock: nothing acts through this context any more."""
    running: list[Program] = field(default_factory=list)
    secrets: Secrets = field(default_factory=Secrets)
    """What must not be shown; grows with each connection that is used."""

    def __post_init__(self) -> None:
        write = self.log
        self.log = lambda text: write("\n".join(map(self.secrets.line, text.split("\n"))))

    @property
    def mark(self) -> str:
        """Return what identifies this step outside, for instance in a commit message: `CHG-1042/1`."""
        return f"{self.change}/{self.step}"

    def connection(self, name: str) -> Connection:
        """Return the Airflow Connection of this name.

        Raises:
            UnknownConnection: there is none.
        """
        known = self.connections(name)
        self.secrets.learn(*known.secrets)
        return known

    def secret(self, connection: str) -> str:
        """Return the password of a connection; it is used at once and kept nowhere.

        Raises:
            UnusableConnection: it has none.
        """
        password = self.connection(connection).password
        if not password:
            raise UnusableConnection(connection, "password")
        return password

    def stop(self) -> None:
        """End what acts through this context, for good; returns when programs are dead. Any thread may call it."""
        self.stopped.set()
        for program in list(self.running):
            program.kill()

    def require_lock(self) -> None:
        """Make sure that this task may still act.

        Raises:
            LockRevoked: it may not.
        """
        if self.stopped.is_set():
            raise LockRevoked(self.change, f"step {self.step}")

    @contextmanager
    def temporary_folder(self) -> Iterator[Path]:
        """Lend an empty folder that is removed afterwards."""
        with tempfile.TemporaryDirectory(prefix=f"{self.change}-{self.step}-") as folder:
            yield Path(folder)

    def look(self, arguments: Sequence[str], **options: Unpack[ProgramOptions]) -> Ran:
        """Run a program that only reads, and wait for its end; it runs in a dry run too."""
        return self._program(arguments, **options)

    def run(self, arguments: Sequence[str], *, acts: bool = True, **options: Unpack[ProgramOptions]) -> Ran:
        """Run a program, and wait for its end; a dry run only logs one that acts. Without `acts`, the same as `look`.

        Raises:
            LockRevoked: the task may no longer act.
        """
        if not acts:
            return self.look(arguments, **options)
        if self.dry_run:
            self.log(f"dry run, not done: {options.get('shown_as') or ' '.join(arguments)}")
            return Ran(tuple(arguments), 0, "")
        self.require_lock()
        return self._program(arguments, **options)

    def act(self, description: str, do: Callable[[], T]) -> T | None:
        """Do what acts through a library, and return its result; a dry run only logs it, and returns None.

        Raises:
            LockRevoked: the task may no longer act.
        """
        if self.dry_run:
            self.log(f"dry run, not done: {description}")
            return None
        self.require_lock()
        self.log(description)
        result = do()
        self.require_lock()
        return result

    def until(self, expected: str, look: Callable[[], T | None], *, within: timedelta, every: float = 1.0) -> T | None:
        """Look again and again until there is something to return; a dry run does not wait, and returns None.

        `expected` completes the sentence "waiting until …".

        Raises:
            StepFailed: it was not there in time.
            LockRevoked: the task may no longer act.
        """
        if self.dry_run:
            self.log(f"dry run, not waiting until {expected}")
            return None
        self.log(f"waiting until {expected}")
        deadline = time.monotonic() + within.total_seconds()
        while not (result := look()):
            if time.monotonic() >= deadline:
                raise StepFailed(f"Timed out after {duration_text(within)}, waiting until {expected}.")
            self.stopped.wait(every)
            self.require_lock()
        return result

    def ask(self, connection: str, path: str, headers: Mapping[str, str] | None = None, *, body: Any = None) -> Replied:
        """Send a request that only reads: GET, or POST with a `body`. With `headers`, no credentials are added."""
        return self._request(connection, "GET" if body is None else "POST", path, body=body, headers=headers)

    def call(
        self, connection: str, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> Replied:
        """Send an HTTP request that acts; a dry run only logs it. With `headers`, no credentials are added.

        Raises:
            StepFailed: no reply came; whether the request had an effect is unknown.
            LockRevoked: the task may no longer act.
        """
        if self.dry_run:
            self.log(f"dry run, not done: {method} {self.connection(connection).base_url}{path}")
            return Replied(0, "")
        self.require_lock()
        return self._request(connection, method, path, body=body, headers=headers)

    def _request(self, name: str, method: str, path: str, *, body: Any, headers: Mapping[str, str] | None) -> Replied:
        connection = self.connection(name)
        url = f"{connection.base_url}{path}"
        headers = headers or authorization.headers(connection)
        reply = Request(method, url, body, headers, None if headers else connection.credentials).send()
        self.log(f"{method} {url} -> {reply.status}")
        return reply

    def _program(
        self,
        arguments: Sequence[str],
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        quiet: bool = False,
        answers: Collection[int] = (),
        shown_as: str = "",
        of_ticket: bool = False,
        hide: Callable[[str], str] = str,
    ) -> Ran:
        self.log(f"$ {shown_as or ' '.join(arguments)}")
        kept: deque[str] = deque(maxlen=KEPT_LINES)
        account = account_for_tickets() if of_ticket else OURS
        running = guarded(arguments, folder=folder, environment=environment, account=account)
        with running as program, self._stoppable(program):
            for line in program.lines():
                kept.append(line)
                if not quiet:
                    self.log(hide(line))
            code = program.process.wait()
        self.require_lock()
        has_failed = code != 0 and code not in answers
        if quiet and has_failed:
            for line in kept:
                self.log(hide(line))
        if has_failed or not (quiet or code):
            self.log(f"exit code {code}")
        return Ran(tuple(arguments), code, "\n".join(kept))

    @contextmanager
    def _stoppable(self, program: Program) -> Iterator[None]:
        """Let `stop` reach a program while it runs, even when `stop` was called while the program started."""
        self.running.append(program)
        try:
            self.require_lock()
            yield
        finally:
            self.running.remove(program)
