"""Airflow's components as a server runs them: each by itself, and started again when it ends."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from changewindow.cli import standalone
from changewindow.ledger.database import Ledger
from servers.postgres import Postgres

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
CONNECT_ARGS = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": "changewindow.settings.SCHEDULER_CONNECT_ARGS"}
"""What docker-compose.yaml gives its scheduler too; without it a new scheduler waits for the locks of a dead one."""
HOLDS_LOCKS = """
SELECT 1 FROM pg_stat_activity
WHERE state = 'idle in transaction' AND backend_xid IS NOT NULL AND client_port = ANY (ARRAY[{}]::integer[])
"""


@dataclass(frozen=True)
class OnPostgres(standalone.Place):
    """An Airflow whose databases, and the ledger, are in PostgreSQL."""

    server: Postgres

    @property
    def ledger(self) -> str:
        """Return the SQLAlchemy address of the ledger."""
        return self.server.url("ledger")


def environment(place: OnPostgres, extra: Mapping[str, str]) -> dict[str, str]:
    """Return what the components need in their environment."""
    given = {**os.environ, **standalone.environment(place), **extra}
    given["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = place.server.url("airflow")
    ledger = f'{{"conn_type": "postgres", "host": "127.0.0.1", "port": {place.server.port}, "login": "postgres"'
    given["AIRFLOW_CONN_CHANGEWINDOW_LEDGER"] = f'{ledger}, "schema": "ledger"}}'
    return given


@dataclass
class Supervised:
    """The components of one Airflow; whichever ends is started again a second later, until all are stopped."""

    place: OnPostgres
    environment: Mapping[str, str]
    components: tuple[str, ...] = COMPONENTS
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)
    sessions: set[int] = field(default_factory=set)
    restarts: int = 0

    def keep_up(self) -> None:
        """Start what does not run, until everything is to stop."""
        while not self.stopping.is_set():
            for name in self.components:
                process = self.running.get(name)
                if process is None or process.poll() is not None:
                    self.restarts += process is not None
                    self.running[name] = self._start(name)
            self.stopping.wait(1)

    def _start(self, name: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "airflow", *name.split()]
        own = CONNECT_ARGS if name == "scheduler" else {}
        with (self.place.home / f"{name}.log").open("ab") as log:
            started = subprocess.Popen(
                command,
                env={**self.environment, **own},
                cwd=self.place.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.sessions.add(started.pid)
        return started

    def kill(self, name: str, *, with_children: bool) -> None:
        """Kill a component with SIGKILL: it alone, as the kernel does, or its control group, as systemd does.

        A scheduler dies where it hurts most: in a transaction, with rows locked.
        """
        killed = self.running[name]
        if name == "scheduler":
            self._stop_in_transaction(psutil.Process(killed.pid))
        killed.kill()
        if with_children:
            self._kill_left({killed.pid})
        killed.wait()

    def _stop_in_transaction(self, process: psutil.Process) -> None:
        """Stop a process that holds locks in the database; after 10 s it may be anywhere."""
        deadline = time.monotonic() + 10
        with suppress(psutil.NoSuchProcess):
            process.suspend()
            while not self._holds_locks(process) and time.monotonic() < deadline:
                process.resume()
                time.sleep(0.01)
                process.suspend()

    def _holds_locks(self, process: psutil.Process) -> bool:
        port = self.place.server.port
        own = [made.laddr.port for made in process.net_connections("tcp4") if made.raddr and made.raddr.port == port]
        return bool(self.place.server.ask(HOLDS_LOCKS.format(", ".join(map(str, own))), "airflow"))

    def workers(self) -> list[psutil.Process]:
        """Return the executor's workers that carry out a task now, also those whose scheduler was killed."""
        return [process for process in self._family(self.sessions) if _works(process)]

    def _family(self, sessions: set[int]) -> list[psutil.Process]:
        """Return the living processes of sessions that were begun here."""
        processes = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, ProcessLookupError):
                if os.getsid(process.pid) in sessions and process.status() != psutil.STATUS_ZOMBIE:
                    processes.append(process)
        return processes

    def stop(self) -> None:
        """End all of it, what has lost its parent too."""
        self.stopping.set()
        for process in self.running.values():
            process.terminate()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and any(process.poll() is None for process in self.running.values()):
            time.sleep(0.2)
        self._kill_left(self.sessions)

    def _kill_left(self, sessions: set[int]) -> None:
        for left in self._family(sessions):
            with suppress(psutil.Error):
                left.kill()


def _works(process: psutil.Process) -> bool:
    """Return whether this is a worker with a task; one that ends just now is none."""
    try:
        return "LocalExecutor" in " ".join(process.cmdline()) and bool(process.children())
    except psutil.Error:
        return False


@contextmanager
def supervised(place: OnPostgres, extra: Mapping[str, str], *more: str) -> Iterator[Supervised]:
    """Run Airflow on PostgreSQL, and `more` components than the usual, until the block ends."""
    made = Supervised(place, environment(place, extra), (*COMPONENTS, *more))
    (place.home / "changes").mkdir(parents=True, exist_ok=True)
    standalone.write_passwords(place)
    place.server.create("airflow", "ledger")
    Ledger(place.ledger).upgrade()
    migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(migrate, env=made.environment, check=True, stdout=subprocess.DEVNULL, cwd=place.home)
    supervising = threading.Thread(target=made.keep_up, daemon=True)
    supervising.start()
    try:
        yield made
    finally:
        made.stop()
        supervising.join(30)


def log_of(place: standalone.Place, name: str) -> str:
    """Return the end of a component's log."""
    path = Path(place.home) / f"{name}.log"
    return path.read_text(errors="replace")[-3000:] if path.exists() else ""
