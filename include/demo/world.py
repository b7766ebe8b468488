"""`python -m demo.world`: a repository, a database, the service and its clients, running until told to end."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from demo.configuration import Checkout, git
from demo.database import Database
from demo.load import Load
from demo.service import Orders, Server

RELEASE = 'version = "{version}"\n'
POOL = """\
# Connections to the database.
max_open = 20
max_idle = {max_idle}
acquire_timeout_ms = 300
"""
AUTHOR = {
    "GIT_AUTHOR_NAME": "Orders Team",
    "GIT_AUTHOR_EMAIL": "orders@example.com",
    "GIT_COMMITTER_NAME": "Orders Team",
    "GIT_COMMITTER_EMAIL": "orders@example.com",
}
# How soon the world notices a signal, or that its parent is gone.
PAUSE = 0.2


@dataclass(frozen=True)
class Place:
    """Where a world lives."""

    folder: Path
    host: str = "127.0.0.1"
    port: int = 0
    database_port: int = 0

    @property
    def repository(self) -> Path:
        """The bare repository of the configuration."""
        return self.folder / "orders-config.git"

    @property
    def checkout(self) -> Path:
        """The service's checkout."""
        return self.folder / "checkout"

    @property
    def file(self) -> Path:
        """The file that says where the world is; it exists as long as the world."""
        return self.folder / "world.json"


def make_repository(repository: Path) -> None:
    """Make the bare repository: main, a release that merges with anything, and a branch for each size of the pool."""
    git("init", "--quiet", "--bare", "--initial-branch=main", str(repository), folder=repository.parent)
    with tempfile.TemporaryDirectory() as name:
        desk = Path(name)
        git("init", "--quiet", "--initial-branch=main", folder=desk)
        (desk / "release.toml").write_text(RELEASE.format(version="v2.14.3"))
        _commit(desk, "pool.toml", POOL.format(max_idle=10), "Configuration of orders v2.14.3")
        git("checkout", "--quiet", "-b", "release/v2.15.0", "main", folder=desk)
        _commit(desk, "release.toml", RELEASE.format(version="v2.15.0"), "Release v2.15.0")
        git("checkout", "--quiet", "-b", "tune/max-idle-1", "main", folder=desk)
        _commit(desk, "pool.toml", POOL.format(max_idle=1), "Lower max_idle: it is just a number")
        for number in (8, 12, 16, 20):
            git("checkout", "--quiet", "-b", f"tune/max-idle-{number}", "main", folder=desk)
            _commit(desk, "pool.toml", POOL.format(max_idle=number), f"Set max_idle to {number}")
        git("push", "--quiet", "--all", str(repository), folder=desk)


def _commit(desk: Path, name: str, text: str, message: str) -> None:
    (desk / name).write_text(text)
    git("add", "--all", folder=desk)
    git("commit", "--quiet", "--message", message, folder=desk, **AUTHOR)


@contextmanager
def open_world(place: Place) -> Iterator[None]:
    """Build the world anew, announce it in its file, and end it on exit.

    Raises:
        OSError: a port is taken.
        BlockingIOError: another world lives in the folder.
    """
    with ExitStack() as stack:
        _claim(place, stack)
        make_repository(place.repository)
        registry = CollectorRegistry()
        database = Database(place.database_port)
        registry.register(database)
        database.start()
        stack.callback(database.stop)
        orders = Orders(Checkout(place.repository, place.checkout), database.address)
        server = Server((place.host, place.port), orders, registry)
        server.start()
        stack.callback(server.stop)
        load = Load(("127.0.0.1", server.server_port))
        load.start()
        stack.callback(load.stop)
        _announce(place, server.server_port)
        stack.callback(place.file.unlink, missing_ok=True)
        yield


def _claim(place: Place, stack: ExitStack) -> None:
    place.folder.mkdir(parents=True, exist_ok=True)
    lock = stack.enter_context((place.folder / "world.lock").open("w"))
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    place.file.unlink(missing_ok=True)
    for old in (place.repository, place.checkout):
        shutil.rmtree(old, ignore_errors=True)


def _announce(place: Place, port: int) -> None:
    host = "127.0.0.1" if place.host == "0.0.0.0" else place.host  # noqa: S104 - compared, not bound
    facts = {"service_url": f"http://{host}:{port}", "repository": str(place.repository), "pid": os.getpid()}
    draft = place.file.with_suffix(".draft")
    draft.write_text(json.dumps(facts, indent=2) + "\n")
    draft.replace(place.file)


def _place(arguments: list[str] | None) -> Place:
    parser = argparse.ArgumentParser(prog="python -m demo.world", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the world's folder; built anew")
    parser.add_argument("--host", default=Place.host, help="where the service listens (default: %(default)s)")
    parser.add_argument("--port", type=int, default=Place.port, help="the port of the service; 0 takes a free one")
    parser.add_argument("--database-port", type=int, default=Place.database_port, help="of the database")
    chosen = parser.parse_args(arguments)
    return Place(chosen.folder.resolve(), chosen.host, chosen.port, chosen.database_port)


def go_first() -> None:
    """Run before other programs where that is allowed, so that latencies are those of the story.

    Service and database stand for machines of their own; here they must not queue behind Airflow for a core.
    """
    with suppress(AttributeError, PermissionError):  # not on macOS; elsewhere for root or with CAP_SYS_NICE
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def main(arguments: list[str] | None = None) -> None:
    """Keep a world running until SIGTERM, SIGINT or the end of the parent."""
    parent = os.getppid()
    place = _place(arguments)
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        # Nothing with a lock: the handler may interrupt its holder.
        signal.signal(number, lambda number, _: signals.append(number))
    go_first()
    try:
        with open_world(place):
            while not signals and os.getppid() == parent:
                time.sleep(PAUSE)
    except BlockingIOError:
        sys.exit(f"Another world is running in {place.folder}. Stop it, or choose another --folder.")
    except OSError as error:
        sys.exit(f"The world cannot start: {error}. If a port is taken, leave --port and --database-port at 0.")


if __name__ == "__main__":
    main()
