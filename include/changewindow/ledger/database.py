"""Opens the ledger's database and runs transactions on it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy import Connection as DatabaseConnection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from changewindow import settings
from changewindow.errors import LedgerDown
from changewindow.ledger.chain import LEDGER_SEAL, NEW_HEADS, Head
from changewindow.ledger.heads import Heads
from changewindow.ledger.seal import Seal
from changewindow.settings import Settings

PATIENCE = 20
"""Seconds a transaction may wait for another one."""
WRITES = "changewindow_writes"


class Ledger:
    """The ledger's database; short transactions, a connection for each."""

    def __init__(self, url: str, places: Callable[[], Settings] = settings.read) -> None:
        self.url = make_url(url)
        self.seal = Seal(places)
        self.heads = Heads(places, self.url)
        self.engine = engine_of(self.url)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Run one transaction; it is committed at the end of the block, or has not happened.

        Raises:
            LedgerDown: the database does not answer.
        """
        with self._session(writes=True) as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Read without waiting for writers; what is decided from it may not be written later.

        Raises:
            LedgerDown: the database does not answer.
        """
        with self._session(writes=False) as session:
            yield session

    @contextmanager
    def _session(self, *, writes: bool) -> Iterator[Session]:
        try:
            new: dict[int, Head] = {}
            info = {LEDGER_SEAL: self.seal, NEW_HEADS: new}
            with Session(self.engine, expire_on_commit=False, info=info) as session, session.begin():
                session.connection(execution_options={WRITES: writes, **self._isolation(writes=writes)})
                yield session
            if new:
                self.heads.keep(new)
        except OperationalError as error:
            raise LedgerDown(error.orig) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise LedgerDown(error.orig) from error
            raise

    def _isolation(self, *, writes: bool) -> dict[str, str]:
        """Return how isolated it is: who only reads sees one moment, for a chain and its head belong together."""
        is_snapshot = not writes and self.url.get_backend_name() == "postgresql"
        return {"isolation_level": "REPEATABLE READ"} if is_snapshot else {}

    def upgrade(self, version: str = "head") -> None:
        """Bring the tables to a version, the newest by default; harmless when they are.

        Raises:
            LedgerDown: the database does not answer.
            SealKeyMissing: there are events to seal, and no key.
            AlreadySealed: there are, and this ledger had been sealed before.
        """
        if self.url.get_backend_name() == "sqlite" and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        try:
            with self.engine.begin() as connection:
                config.attributes.update(connection=connection, ledger=self)
                command.upgrade(config, version)
        except OperationalError as error:
            raise LedgerDown(error.orig) from error


@lru_cache(maxsize=16)
def engine_of(url: URL) -> Engine:
    """Return what runs statements on a database; whoever opens it again finds the statements compiled already."""
    is_sqlite = url.get_backend_name() == "sqlite"
    arguments: dict[str, Any] = {"timeout": PATIENCE} if is_sqlite else {"connect_timeout": 5}
    engine = create_engine(url, poolclass=NullPool, connect_args=arguments)
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_immediate)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Use a write-ahead log, and let transactions begin when we say so."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_immediate(connection: DatabaseConnection) -> None:
    """Take the write lock at once, so that what is read in a transaction is still true when it is written."""
    writes = connection.get_execution_options().get(WRITES, True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
