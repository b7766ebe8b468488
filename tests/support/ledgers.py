"""Ledgers to start from: what makes them runs once in a process, and each test gets a copy."""

import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, event

from changewindow.ledger.database import Ledger, engine_of
from servers.postgres import shared

_KEPT = tempfile.TemporaryDirectory(prefix="ledger-")
_FIRST: dict[str, Engine] = {}
"""By dialect and driver, an engine that has run each statement of an upgrade."""


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
        made = Ledger(f"sqlite:///{shutil.copy(str(template.url.database), folder / 'ledger.db')}")
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
