"""Ledgers to start from: what makes them runs once in a process, and each test gets a copy."""

import shutil
import tempfile
from functools import cache
from pathlib import Path

from changewindow.ledger.database import Ledger
from servers.postgres import shared

_KEPT = tempfile.TemporaryDirectory(prefix="ledger-")


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
    return made
