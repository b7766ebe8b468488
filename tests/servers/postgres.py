"""A PostgreSQL of the test's own: Debian's server, in a folder of its own, on a free port of 127.0.0.1."""

import atexit
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from changewindow.cli.airflow_api import wait_for
from changewindow.systems.connection import Connection
from step_fixtures import need
from support.ports import free_port

PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/lib/postgresql/15/bin"))
USER = "postgres"
"""PostgreSQL refuses to run as root."""
ROBOT, PASSWORD = "robot", "s3cret-of-the-database"
"""Who owns the databases that `fresh` makes; the only one who is asked for a password."""
NUMBERS = count(1)


@dataclass
class Postgres:
    """A server that can be killed, and started again on the same data."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    def url(self, database: str = "postgres") -> str:
        """Return the SQLAlchemy address of a database."""
        return f"postgresql+psycopg2://{USER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it answers; after a kill, once its orphans are gone and it has recovered."""

        def is_up() -> bool:
            if self.process is None or self.process.poll() is not None:
                self.process = self._start()
            return self.is_there()

        wait_for(is_up, "PostgreSQL", 60, 0.2)

    def _start(self) -> "subprocess.Popen[bytes]":
        self.let_in()
        listening = ["-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-k", str(self.folder)]
        command = [str(PROGRAMS / "postgres"), "-D", str(self.folder), *listening, "-c", "max_connections=200"]
        with (self.folder.parent / "postgres.log").open("ab") as log:
            return subprocess.Popen(command, user=USER, stdout=log, stderr=log, start_new_session=True)

    def let_in(self) -> None:
        """Let its user into the folders above; another pytest that starts takes that right away from some of them."""
        for parent in self.folder.parents:
            if parent.owner() == "root" and not parent.stat().st_mode & 1:
                parent.chmod(parent.stat().st_mode | 0o011)

    def is_there(self) -> bool:
        """Return whether it answers."""
        asked = [str(PROGRAMS / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, check=False).returncode == 0

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it with all its processes: SIGINT asks for a fast end, SIGKILL is a power failure."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)

    def create(self, *databases: str) -> None:
        """Make empty databases."""
        for database in databases:
            given = ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER, database]
            subprocess.run([str(PROGRAMS / "createdb"), *given], check=True)

    def fresh(self, template: str = "template1") -> Connection:
        """Return the connection to a new database of the robot: empty, or a copy of another that nobody uses.

        Its files are copied, since to write each page into the log takes twice the time.
        """
        database = f"test_{next(NUMBERS)}"
        self.ask(f"CREATE DATABASE {database} OWNER {ROBOT} TEMPLATE {template} STRATEGY file_copy", "postgres")
        return Connection("orders", "postgres", "127.0.0.1", self.port, ROBOT, PASSWORD, database)

    def ask(self, statement: str, database: str) -> list[tuple[Any, ...]]:
        """Run a statement as the superuser, by itself; return its rows."""
        engine = create_engine(self.url(database), isolation_level="AUTOCOMMIT")
        with engine.connect() as opened:
            result = opened.exec_driver_sql(statement, execution_options={"no_parameters": True})
            rows = [tuple(row) for row in result] if result.returns_rows else []
        engine.dispose()
        return rows


@contextmanager
def standby(primary: Postgres, folder: Path) -> Iterator[Postgres]:
    """Run a replica of a server, in a folder that is made for it; it reads, and follows as fast as it can."""
    folder.mkdir(parents=True)
    data = folder / "data"
    data.mkdir(mode=0o700)
    shutil.chown(data, USER)
    server = Postgres(data, free_port())
    server.let_in()
    copied = [str(PROGRAMS / "pg_basebackup"), "-R", "-D", str(data), "-h", "127.0.0.1", "-p", str(primary.port)]
    subprocess.run([*copied, "-c", "fast", "--no-sync"], user=USER, check=True, cwd="/")
    server.start()
    try:
        yield server
    finally:
        server.stop()


@cache
def shared() -> Postgres:
    """Return the one server that the tests of this process share; it ends with the process."""
    ending = ExitStack()
    folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="postgres-")))
    server = ending.enter_context(postgres(folder / "server"))
    atexit.register(ending.close)
    let_robot_in(server)
    return server


def let_robot_in(server: Postgres) -> None:
    """Let the robot own databases of a server, and the server trust in the power."""
    server.ask(f"CREATE ROLE {ROBOT} LOGIN PASSWORD '{PASSWORD}'", "postgres")
    hba = server.folder / "pg_hba.conf"
    hba.write_text(f"host all {ROBOT} 127.0.0.1/32 scram-sha-256\n{hba.read_text()}")
    server.ask("ALTER SYSTEM SET fsync = off", "postgres")
    server.ask("SELECT pg_reload_conf()", "postgres")


@contextmanager
def postgres(folder: Path) -> Iterator[Postgres]:
    """Run a server in a folder that is made for it."""
    need(str(PROGRAMS / "initdb"))
    folder.mkdir(parents=True)
    data = folder / "data"
    data.mkdir(mode=0o700)
    shutil.chown(data, USER)
    server = Postgres(data, free_port())
    made = [str(PROGRAMS / "initdb"), "-D", str(data), "-U", USER, "--auth=trust", "-E", "UTF8", "--no-sync"]

    def is_made() -> bool:
        server.let_in()
        for left in data.iterdir():  # by a try that was cut off
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        return subprocess.run(made, user=USER, check=False, stdout=subprocess.DEVNULL, cwd="/").returncode == 0

    wait_for(is_made, "a folder that another pytest lets PostgreSQL into", 60, 0.2)
    server.start()
    try:
        yield server
    finally:
        server.stop()
