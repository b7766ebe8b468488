"""Empty ledgers: the migrations run once in a process, and each test gets a copy of what they made."""

import shutil
import tempfile
from functools import cache
from pathlib import Path

from changewindow.ledger.database import Ledger
from servers.postgres import shared

_KEPT = tempfile.TemporaryDirectory(prefix="ledger-")


def on_sqlite(folder: Path) -> Ledger:
    """Return an empty ledger in a folder, which may have been used before."""
    file = folder / "ledger.db"
    if not file.exists():
        shutil.copy(_sqlite(), file)
    return Ledger(f"sqlite:///{file}")


def on_postgres() -> Ledger:
    """Return an empty ledger in a database of its own."""
    return Ledger(shared().fresh(_postgres()).database_url)


@cache
def _sqlite() -> Path:
    file = Path(_KEPT.name) / "ledger.db"
    Ledger(f"sqlite:///{file}").upgrade()
    return file


@cache
def _postgres() -> str:
    """Return the name of a database that nobody uses."""
    database = shared().fresh()
    Ledger(database.database_url).upgrade()
    return database.schema
