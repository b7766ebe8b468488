"""Runs transactions with limits in the database behind an Airflow Connection."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from changewindow.errors import StepFailed
from changewindow.systems.connection import Connection

if TYPE_CHECKING:
    from sqlalchemy import Connection as DatabaseConnection
    from sqlalchemy import CursorResult, Engine

# Every reader of a ticket imports all kinds, and few need a database: SQLAlchemy is imported where it is used.

LIMITED = {"postgresql", "sqlite"}
"""The databases whose waiting and working we can limit."""
PATIENCE = 5
"""Seconds in which a database has to answer, and a session that is ended to be gone."""
NOT_NOW = {"08", "40", "53", "55", "57", "58"}
"""Classes of SQLSTATE: connection, conflicts, resources, locks, intervention (a time-out too), the system below."""
SQLITE_NOT_NOW = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN", "SQLITE_INTERRUPT", "SQLITE_IOERR")
WAITED = re.compile(r"lock timeout|database (table )?is locked|lock wait timeout", re.IGNORECASE)
"""What a database says to who waited for a lock in vain."""
MEANINGS = {
    WAITED.pattern: "Somebody else holds a lock, and nobody has to wait behind us any more. Find who holds it, or try "
    "in a quieter moment.",
    r"statement timeout|interrupted": "It took longer than it may, and was stopped.",
    r"authentication failed|access denied": "Correct login or password of the connection.",
    r"deadlock detected": "It and another transaction waited for each other. Try again.",
    r"closed the connection|terminating connection|connection already closed|lost connection|gone away|EOF detected": (
        "The connection was lost on the way; undo finds out what was committed."
    ),
    r"refused|could not translate|timeout expired|timed out|no route|unable to open": "The database does not answer. "
    "Is it up, and does the connection name the right place?",
}


class DatabaseFailed(StepFailed):
    """A database did not do what it was asked for."""

    def __init__(self, connection: Connection, error: Exception) -> None:
        text = connection.hidden(str(getattr(error, "orig", None) or error).strip() or type(error).__name__)
        first = " ".join(text.splitlines()[0].split())
        super().__init__(f"The database of connection {connection.name} says: {first}. {meaning(text)}".rstrip())
        self.is_answer = _is_answer(error)
        """Whether the database answered; else it is not there, went away, or could not do it now."""


@dataclass(frozen=True)
class Limits:
    """How long a statement may wait for a lock, and how long it may take in all."""

    lock: timedelta | None
    statement: timedelta | None


def meaning(text: str) -> str:
    """Return what to do about the error text of a database, or of a program that uses one; empty if it is unknown."""
    return next((what for sign, what in MEANINGS.items() if re.search(sign, text, re.IGNORECASE)), "")


@contextmanager
def transaction(connection: Connection, limits: Limits, *, session: str = "") -> "Iterator[DatabaseConnection]":
    """Run one transaction; it is committed at the end of the block, or has not happened.

    `session` is the name under which the database shows it (PostgreSQL).

    Raises:
        DatabaseFailed: the database refused, or is not there.
    """
    with _opened(connection, limits, session) as opened, opened.begin():
        yield opened


@contextmanager
def reading(connection: Connection, limits: Limits) -> "Iterator[DatabaseConnection]":
    """Read, in a transaction that is read-only where the database has that, and is always rolled back.

    Raises:
        DatabaseFailed: the database refused, or is not there.
    """
    with _opened(connection, limits, "", reads=True) as opened:
        yield opened


def end_session(connection: Connection, session: str) -> None:
    """End what a dead task left running in the database under its session's name, and wait until it is gone.

    Only PostgreSQL goes on with the statement of a program that is no longer there.

    Raises:
        DatabaseFailed: the database refused, or is not there.
    """
    end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    end += " WHERE application_name = %(session)s AND pid <> pg_backend_pid()"
    with reading(connection, Limits(None, timedelta(seconds=PATIENCE))) as opened:
        deadline = time.monotonic() + PATIENCE
        while opened.dialect.name == "postgresql" and opened.exec_driver_sql(end, {"session": session}).scalar():
            if time.monotonic() > deadline:
                raise StepFailed(
                    f"The session '{session}' in {connection.name} does not end. End it there, undo again."
                )
            time.sleep(0.1)
            opened.rollback()


def execute(opened: "DatabaseConnection", statement: str, **options: bool) -> "CursorResult[Any]":
    """Run a statement as it is written: neither `%` nor `:` in it means anything to us. Options are SQLAlchemy's."""
    return opened.exec_driver_sql(statement, execution_options={"no_parameters": True, **options})


def touched(connection: Connection, opened: "DatabaseConnection", statement: str) -> int:
    """Run a statement; return how many rows it touched, or a negative number where that is unknown.

    Raises:
        DatabaseFailed: the database refused.
    """
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415  see above

    try:
        with execute(opened, statement) as done:
            return done.rowcount
    except DBAPIError as error:
        raise DatabaseFailed(connection, error) from error


@contextmanager
def _opened(
    connection: Connection, limits: Limits, session: str, *, reads: bool = False
) -> "Iterator[DatabaseConnection]":
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415  see above

    engine = None
    try:
        engine = _engine(connection, limits, session, reads=reads)
        with engine.connect() as opened:
            yield opened
    except SQLAlchemyError as error:
        raise DatabaseFailed(connection, error) from error
    finally:
        if engine is not None:
            engine.dispose()


def _engine(connection: Connection, limits: Limits, session: str, *, reads: bool) -> "Engine":
    from sqlalchemy import create_engine, event  # noqa: PLC0415  see above
    from sqlalchemy.engine import make_url  # noqa: PLC0415
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    try:
        url = make_url(connection.database_url)
        driver = url.get_backend_name()
        engine = create_engine(url, poolclass=NullPool, connect_args=_arguments(driver, limits, session))
    except (ImportError, ArgumentError) as error:
        problem = f"Connection {connection.name} needs a database driver that is not installed: {error}."
        raise StepFailed(f"{problem} Install the Airflow provider of its type with its driver.") from error
    if driver == "sqlite":
        if url.database and not Path(url.database).is_file():
            raise StepFailed(f"Connection {connection.name} names {url.database}, where there is no database.")
        event.listen(engine, "connect", lambda raw, _: _prepare_sqlite(raw, limits.statement, reads=reads))
        event.listen(engine, "begin", lambda opened: opened.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE"))
    if driver == "postgresql":
        event.listen(engine, "begin", lambda opened: _limit_postgresql(opened, limits, reads=reads))
    return engine


def _arguments(driver: str, limits: Limits, session: str) -> dict[str, Any]:
    if driver == "sqlite":
        return {"timeout": (limits.lock or timedelta(seconds=PATIENCE)).total_seconds()}
    if driver == "postgresql":
        named = {"application_name": session or "changewindow", "client_encoding": "utf8"}
        return {"connect_timeout": PATIENCE, **named}
    return {}


def _prepare_sqlite(raw: Any, statement: timedelta | None, *, reads: bool) -> None:
    """Let transactions begin when we say so, and end what takes too long."""
    raw.isolation_level = None
    raw.execute(f"PRAGMA query_only = {int(reads)}")
    if statement is not None:
        deadline = time.monotonic() + statement.total_seconds()
        raw.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)


def _limit_postgresql(opened: "DatabaseConnection", limits: Limits, *, reads: bool) -> None:
    if reads:
        opened.exec_driver_sql("SET TRANSACTION READ ONLY")
    for name, limit in (("lock_timeout", limits.lock), ("statement_timeout", limits.statement)):
        if limit is not None:
            opened.exec_driver_sql(f"SET LOCAL {name} = {max(1, round(limit.total_seconds() * 1000))}")


def _is_answer(error: Exception) -> bool:
    """Return whether the database answered, by its code where it has codes (SQLSTATE, SQLite's names)."""
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError  # noqa: PLC0415  see above

    code = str(getattr(getattr(error, "orig", None), "pgcode", None) or "")
    name = str(getattr(getattr(error, "orig", None), "sqlite_errorname", None) or "")
    if code or name:
        return code[:2] not in NOT_NOW and not name.startswith(SQLITE_NOT_NOW)
    return isinstance(error, DBAPIError) and not isinstance(error, OperationalError | InterfaceError)
