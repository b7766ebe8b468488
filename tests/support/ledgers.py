"""Ledgers to start from: what makes them runs once in a process, and each test gets a copy."""

import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakSet

from sqlalchemy import URL, Engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from changewindow.ledger.database import Ledger, engine_of
from servers.postgres import shared

_KEPT = tempfile.TemporaryDirectory(prefix="ledger-")
_FIRST: dict[str, Engine] = {}
"""By dialect and driver, an engine that has run each statement of an upgrade."""
_KEPT_OPEN: WeakSet[Engine] = WeakSet()


def on_sqlite(folder: Path) -> Ledger:
    """Return an empty ledger in a folder, or the one that is there already."""
    file = folder / "ledger.db"
    return Ledger(f"sqlite:///{file}") if file.exists() else copied(_empty("sqlite"), folder)


def on_postgres() -> Ledger:
    """Return an empty ledger in a database of its own."""
    return copied(_empty("postgres"), Path(_KEPT.name))


def new(backend: str) -> Ledger:
    """Return an empty ledger that may serve as a template."""
    return on_postgres() if backend == "postgres" else on_sqlite(Path(tempfile.mkdtemp(dir=_KEPT.name)))


def copied(template: Ledger, folder: Path) -> Ledger:
    """Return a ledger that holds what another one holds, which nobody uses; one on SQLite lies in the folder."""
    if template.url.get_backend_name() == "sqlite":
        template.engine.dispose()  # what it wrote lies in the file only once nobody has it open
        made = Ledger(f"sqlite:///{shutil.copy(str(template.url.database), folder / 'ledger.db')}")
        _keep_open(made.engine)
    else:
        made = Ledger(shared().fresh(str(template.url.database)).database_url)
    for number, head in template.heads.kept():
        made.heads.keep({number: head})
    return made


@cache
def _empty(backend: str) -> Ledger:
    file = f"sqlite:///{Path(_KEPT.name) / 'empty.db'}"
    made = Ledger(file if backend == "sqlite" else shared().fresh().database_url)
    made.upgrade()
    _FIRST[_driver(made.engine)] = made.engine
    return made


def _driver(engine: Engine) -> str:
    """Return what an engine's dialect goes with: that of another driver does not know the errors of this one."""
    return f"{engine.dialect.name}+{engine.dialect.driver}"


def quick_engine(url: URL) -> Engine:
    """Return the product's engine, but one that knows the statements which others of its kind have compiled.

    Each test has a ledger of its own; to compile the statements for each anew took a quarter of their time. Nor does
    SQLite wait for the disk, since no ledger of a test has to outlive a power failure.
    """
    engine = engine_of(url)
    if engine.name == "sqlite":
        event.listen(engine, "connect", _trust_the_power)
    if first := _FIRST.get(_driver(engine)):
        engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache
    return engine


def _trust_the_power(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def _keep_open(engine: Engine) -> None:
    """Let a ledger on SQLite stay open: to open it for each transaction takes as long as what is done in it."""
    file = Path(str(engine.url.database))

    def file_now() -> int:
        return file.stat().st_ino if file.exists() else 0

    def know(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["file"] = file_now()

    def require(_connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        """Open it anew when a test has taken the file away, or has put another one in its place."""
        if record.info["file"] != file_now():
            raise DisconnectionError

    engine.pool = QueuePool(engine.pool._creator, _dispatch=engine.pool.dispatch, dialect=engine.dialect)
    event.listen(engine, "connect", know)
    event.listen(engine, "checkout", require)
    _KEPT_OPEN.add(engine)


def _leave_to_the_parent() -> None:
    for engine in _KEPT_OPEN:
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_leave_to_the_parent)  # SQLite does not let processes share a connection
