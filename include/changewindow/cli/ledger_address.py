"""Finds the ledger that a command means, and opens it: as --ledger, the environment or the demo names it."""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from changewindow import settings
from changewindow.cli.embedded import LEDGER_VARIABLE, ledgers
from changewindow.cli.environment_connections import connection_of
from changewindow.errors import ChangeError, PlatformError
from changewindow.ledger.database import Ledger

MIGRATIONS = Path(settings.__file__).parent / "ledger" / "migrations" / "versions"
LONGEST = 200
"""Characters that a database's own message may have here."""


def ledger(arguments: argparse.Namespace, *, to_upgrade: bool = False) -> Ledger:
    """Return the ledger that a command means, once it is known to be one that this version can read.

    The key and the heads of the embedded default lie beside its ledger, and are found there. With `to_upgrade` its
    tables may be of an earlier version, or missing, and its file too.

    Raises:
        PlatformError: there is none, or it cannot be read.
    """
    url = _url(arguments)
    file = Path(url.database).resolve() if url.get_backend_name() == "sqlite" and url.database else None
    if file is not None and not to_upgrade and not file.exists():
        raise PlatformError(f"There is no ledger at {file}. Check --ledger, or make one with `ledger upgrade`.")
    try:
        known = _opened(url, file)
        _require_readable(known, to_upgrade=to_upgrade)
    except (NoSuchModuleError, ModuleNotFoundError):
        arguments.misuse(f"--ledger: there is no driver for {url.drivername}. A ledger lies in PostgreSQL or SQLite.")
        raise
    except SQLAlchemyError as error:
        where = file or url.render_as_string(hide_password=True)
        reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0][:LONGEST]
        hint = "Check that it is a ledger, and that you may write there" if file else "Check address and password"
        raise PlatformError(f"The ledger at {where} cannot be opened: {reason}. {hint}.") from error
    return known


@dataclass(frozen=True)
class Found:
    """The ledger that is named, if there is one, and whether it answers."""

    named: Ledger | None
    why: str = ""
    """Why it does not answer; empty where it does."""

    @property
    def answering(self) -> Ledger | None:
        """Return the ledger, if it answers."""
        return None if self.why else self.named


def found(arguments: argparse.Namespace) -> Found:
    """Return the ledger that a command means, which goes on without it where there is none, or where it is down."""
    if not is_named(arguments):
        return Found(None, "none is named here")
    url = _url(arguments)
    file = Path(url.database).resolve() if url.get_backend_name() == "sqlite" and url.database else None
    named = _opened(url, file)
    if file is not None and not file.exists():
        return Found(named, f"there is none at {file}")
    try:
        _require_readable(named, to_upgrade=False)
    except (SQLAlchemyError, PlatformError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0][:LONGEST]
        return Found(named, reason or type(error).__name__)
    return Found(named)


def is_named(arguments: argparse.Namespace) -> bool:
    """Return whether --ledger, the environment or the demo names a ledger at all."""
    return bool(arguments.ledger or os.environ.get(LEDGER_VARIABLE) or ledgers(os.environ))


def _opened(url: URL, file: Path | None) -> Ledger:
    environment = dict(os.environ)
    if file is not None and settings.read({"AIRFLOW_HOME": str(file.parent)}).seal_key_file.exists():
        environment.setdefault("AIRFLOW_HOME", str(file.parent))
    return Ledger(url.render_as_string(hide_password=False), lambda: settings.read(environment))


def _require_readable(known: Ledger, *, to_upgrade: bool) -> None:
    """Make sure that a database answers, and that its tables are those of this version.

    Raises:
        SQLAlchemyError: it does not answer, or is no database.
        PlatformError: its tables are of another version, or missing.
    """
    if to_upgrade and known.url.get_backend_name() == "sqlite" and not Path(known.url.database or "").exists():
        return
    with known.engine.connect() as connection:
        is_there = inspect(connection).has_table("alembic_version")
        version = connection.scalar(text("SELECT version_num FROM alembic_version")) if is_there else None
    newest = max(path.name for path in MIGRATIONS.glob("[0-9]*.py")).partition("_")[0]
    where = known.url.render_as_string(hide_password=True)
    if version is not None and str(version) > newest:
        raise PlatformError(f"The ledger at {where} was upgraded by a later version ({version}). Install that version.")
    if not to_upgrade and version != newest:
        state = "has no tables" if version is None else f"has the tables of an earlier version ({version})"
        raise PlatformError(f"The ledger at {where} {state}. Run `changewindow ledger upgrade`.")


def _url(arguments: argparse.Namespace) -> URL:
    """Return the ledger's address: from --ledger, from the environment, or that of the embedded default."""
    if arguments.ledger:
        return _parsed(arguments, str(arguments.ledger))
    if given := os.environ.get(LEDGER_VARIABLE):
        return _of_connection(arguments, given)
    for file in ledgers(os.environ):
        print(f"ledger: {file}", file=sys.stderr)
        return URL.create("sqlite", database=str(file))
    arguments.misuse(
        f"no ledger is named, and no demo has left one. Give --ledger URL, or set {LEDGER_VARIABLE} as for Airflow."
    )
    raise AssertionError


def _parsed(arguments: argparse.Namespace, given: str) -> URL:
    """Return an address as it is written; a path without a scheme is a file of SQLite."""
    if "://" not in given:
        return URL.create("sqlite", database=given)
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        arguments.misuse("--ledger is no address. Write it like postgresql://user@host/database, or name a file.")
        raise
    if url.get_backend_name() == "sqlite" and not url.database:
        arguments.misuse("--ledger names no file. Write it like sqlite:////srv/airflow/ledger.db.")
    return url


def _of_connection(arguments: argparse.Namespace, given: str) -> URL:
    """Return the address of Airflow's connection in the environment."""
    try:
        return make_url(connection_of(settings.LEDGER_CONNECTION, given).database_url)
    except (ValueError, KeyError, AttributeError, TypeError, ArgumentError, ChangeError):
        arguments.misuse(f"{LEDGER_VARIABLE} is not a connection as JSON with conn_type. Correct it.")
        raise
