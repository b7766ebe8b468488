"""Migrates a database with Flyway; undo runs `flyway undo`, or the ticket's own undo statements.

The migrations lie in a git repository (an Airflow Connection of type Git) or on the worker: a folder with flyway.toml
or flyway.conf, or else with the SQL files themselves. The database comes from an Airflow Connection of type Postgres;
other types need `jdbc_url`. Address, login, password and history table reach Flyway through its environment variables,
which override its configuration files. Flyway 10 or newer has to be installed on the worker.

With `undo: flyway`, undo is Flyway's (its editions with undo scripts; the gate looks whether Flyway sees one for each
migration). Without such an edition the ticket gives the undo statements of each version that will run. They run newest
first in one transaction, which also deletes the version's row from Flyway's schema history: else Flyway would believe
that the version is still there, and never run it again. Only what was really migrated is undone; what somebody else
migrated since stops the undo. The empty history table of a first migration stays. At its end undo compares tables,
columns and indexes (on PostgreSQL also defaults, constraints, types, views, functions and triggers) with the
remembered ones, names those that differ and calls a person: a migration that runs outside
of transactions (CREATE INDEX CONCURRENTLY; all DDL of MySQL and Oracle) may have died without a word in the history,
and what a callback such as afterMigrate.sql has made stands in no history at all. Rows that a callback has changed
stay so, and nobody notices: the gate logs which SQL callbacks there are; those in Java or a shell are not looked for.
"""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from changewindow.documents.text import shown
from changewindow.documents.types import ConnectionName, Duration
from changewindow.errors import StepFailed
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context
from changewindow.systems.databases import flyway
from changewindow.systems.databases.differences import why_not_as_before
from changewindow.systems.databases.flyway_history import History, Migrated
from changewindow.systems.databases.lock_holders import lock_holders
from changewindow.systems.databases.statements import TABLE, Text, transaction_id
from changewindow.systems.databases.transactions import LIMITED, Limits, end_session, execute, reading, transaction
from changewindow.systems.git.files import Files, Folder

if TYPE_CHECKING:
    from sqlalchemy import Connection as DatabaseConnection

EXAMPLE = {
    "name": "Add the note to orders",
    "kind": "flyway",
    "connection": "example_orders",
    "migrations": {"repository": "example_config", "at": "v2.15.0", "folder": "sql"},
    "target": "2.1",
    "undo": {"2": ["DROP INDEX orders_by_day"], "2.1": ["ALTER TABLE orders DROP COLUMN note"]},
}
POSTGRES = {"postgres", "postgresql"}
READING = Limits(timedelta(seconds=5), timedelta(seconds=30))


class Step(StepBase):
    """A version to which a database is migrated."""

    kind: Literal["flyway"] = "flyway"
    why_not_before_approval: ClassVar[str] = "it would start Flyway with the configuration of its repository"
    connection: ConnectionName
    """The Airflow Connection of the database."""
    migrations: Files
    """Where the migrations are: `{repository: …, at: v2.15.0, folder: sql}`, or `{folder: /srv/sql}` on the worker."""
    target: str = Field(default="latest", pattern=r"^(latest|[0-9]+([._][0-9]+)*)$")
    """The version to migrate to."""
    undo_by: Literal["flyway"] | dict[str, Annotated[tuple[Text, ...], Field(min_length=1)]] = Field(alias="undo")
    """`flyway`, or the undo statements by version; a repeatable migration goes by its file, `R__views.sql`."""
    history: str = Field(default="flyway_schema_history", pattern=TABLE)
    """Flyway's table; a schema may stand before it."""
    jdbc_url: str = ""
    """The JDBC address, for other databases than PostgreSQL; without login and password."""
    program: str = "flyway"
    """Flyway on the worker."""
    lock_timeout: Duration = timedelta(seconds=5)
    """How long a migration or an undo statement may wait for a lock (PostgreSQL)."""

    def does(self) -> str:
        """Describe the migration."""
        return f"flyway migrate of {self.connection} to {self.target} ({self.migrations.description()})"

    def undoes(self) -> str:
        """Describe the undo."""
        if self.undo_by == "flyway":
            return f"flyway undo of {self.connection} to the version before"
        listed = "; ".join(f"{version}: {', '.join(of)}" for version, of in self.undo_by.items())
        return f"undo statements and their rows of {self.history} at {self.connection}: {listed}"

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return what has no undo, and which files are no longer those that ran, according to Flyway."""
        with reading(context.connection(self.connection), READING) as opened:
            versions = History(opened, self.history).versions()
        with self._flyway(context) as (program, folder):
            known, valid = program.known_and_valid(self.target)
            for file in flyway.callbacks(folder.path):
                context.log(f"{file} runs with the migrations; rows that it changes stay so, also after undo")
        missing = self._missing(known, versions)
        reason = " ".join(str(valid.get("allErrorMessages") or "no reason given").split())
        return missing if valid.get("validationSuccessful") else [f"flyway validate refuses: {reason}"]

    def remember(self, context: Context) -> Memory:
        """Return what will run, from which commit, where the schema history ends now, and the shape of the tables."""
        connection = context.connection(self.connection)
        with self._flyway(context) as (program, folder):
            known = program.known(self.target)
            will_run = flyway.will_run(known)
        with reading(connection, READING) as opened:
            history = History(opened, self.history)
            rank, versions = history.newest_rank(), history.versions()
            kept = {"rank": rank, "before": history.newest(), **history.shape_beside()}
        for missing in self._missing(known, versions):
            raise StepFailed(missing)
        kept |= {"commit": folder.commit, "token": uuid.uuid4().hex[:8]}
        return {"pending": [_key(migration) for migration in will_run], **kept}

    def apply(self, context: Context, remembered: Memory) -> None:
        """Migrate, and check that the history has all of it."""
        with self._flyway(context, remembered) as (program, _):
            try:
                program.run("migrate", f"-target={self.target}")
            except StepFailed as failed:
                holders = lock_holders(context.connection(self.connection), str(failed))
                raise StepFailed(f"{failed}{holders}") from failed
        with reading(context.connection(self.connection), READING) as opened:
            done = {row.key for row in self._applied(opened, remembered)}
        absent = [key for key in remembered["pending"] if key not in done]
        if absent and not context.dry_run:
            raise StepFailed(f"Flyway is done, but {self.history} at {self.connection} lacks {', '.join(absent)}.")

    def undo(self, context: Context, remembered: Memory) -> None:
        """Undo what was migrated since."""
        connection, session = context.connection(self.connection), _session(context, remembered)
        context.act(f"end what is left of the migration in {self.connection}", lambda: end_session(connection, session))
        with reading(connection, READING) as opened:
            applied = self._applied(opened, remembered)
        if not applied:
            self._require_nothing(context, remembered)
            context.log(f"nothing to undo: {self.history} at {self.connection} ends where it ended before")
        elif self.undo_by == "flyway":
            with self._flyway(context, remembered) as (program, _):
                program.run("undo", f"-target={applied[-1].version}")
            with reading(connection, READING) as opened:
                left = [] if context.dry_run else self._applied(opened, remembered)
            if left:
                raise StepFailed(f"flyway undo left version {left[0].version} of {self.connection}. Undo it by hand.")
        else:
            description = f"undo {', '.join(row.key for row in applied)} at {self.connection}"
            context.act(description, lambda: self._undo(context, remembered))
        if not context.dry_run:
            self._require_shape(context, remembered)

    def _require_nothing(self, context: Context, remembered: Memory) -> None:
        """Make sure that Flyway has run nothing either: it may have begun a history in another table."""
        if remembered["rank"]:
            return
        with self._flyway(context, remembered) as (program, _):
            ran = {_key(migration) for migration in flyway.has_run(program.known(self.target))} & set(
                remembered["pending"]
            )
        if ran:
            problem = f"Flyway has run {', '.join(sorted(ran))} at {self.connection}, and {self.history} does not know"
            raise StepFailed(f"{problem}: its history is elsewhere. Undo by hand, and correct history in the step.")

    def _require_shape(self, context: Context, remembered: Memory) -> None:
        """Make sure that nothing is left: by a migration that died half-way, a callback, or undo that is not whole."""
        with reading(context.connection(self.connection), READING) as opened:
            now = History(opened, self.history).shape_beside()
        if why := why_not_as_before(remembered, now):
            raise StepFailed(f"The history of {self.connection} is as before, but {why}.")

    def _undo(self, context: Context, remembered: Memory) -> None:
        """Run the undo statements of all that was migrated, newest first, and remove it from the history."""
        connection, limits = context.connection(self.connection), Limits(self.lock_timeout, self.timeout)
        if connection.kind not in {*POSTGRES, *LIMITED}:
            limits = Limits(None, None)
        with transaction(connection, limits, session=_session(context, remembered)) as opened:
            history = History(opened, self.history)
            history.lock()
            began = transaction_id(opened)
            for row in self._applied(opened, remembered):
                for statement in self.undo_by[row.key]:  # type: ignore[index]  # `flyway` has its own way
                    execute(opened, statement).close()
                    context.log(f"undone of {row.key}: {shown(statement)}")
                history.forget(row.rank)
            if transaction_id(opened) != began:
                raise StepFailed(f"An undo statement at {self.connection} ended the transaction. Take the COMMIT out.")
            context.require_lock()

    def _applied(self, opened: "DatabaseConnection", remembered: Memory) -> list[Migrated]:
        """Return what was migrated since, newest first.

        Raises:
            StepFailed: it is not this change's.
        """
        applied = History(opened, self.history).applied_since(remembered["rank"])
        for row in applied:
            if row.key not in remembered["pending"]:
                problem = f"{self.connection} has {row.script}, which this change did not bring"
                raise StepFailed(f"{problem}. Undo by hand: first that, then {', '.join(remembered['pending'])}.")
        return applied

    def _missing(self, known: list[dict[str, Any]], versions: set[str]) -> list[str]:
        """Return what has no undo, of what Flyway knows; `versions` are those in the history that we read."""
        has_run = {migration["version"] for migration in flyway.has_run(known) if migration["version"]}
        if has_run != versions:
            ours, flyways = ", ".join(sorted(versions)) or "none", ", ".join(sorted(has_run)) or "none"
            problem = (
                f"Flyway has the versions {flyways} in its history, and {self.history} at {self.connection} has {ours}"
            )
            return [f"{problem}. Write the table that Flyway uses into the step as history, with its schema."]
        keys = {_key(migration): migration for migration in flyway.will_run(known)}
        if not keys:
            return [f"There is nothing to migrate: {self.connection} has every version up to {self.target}."]
        if self.undo_by == "flyway":
            advice = (
                "Write its undo script; where this edition of Flyway has no undo, write undo statements by version."
            )
            return [f"Flyway sees no undo script for {key}. {advice}" for key in keys if not keys[key]["undoFilepath"]]
        missing = [f"{key} will run and has no undo statements. Write them." for key in keys if key not in self.undo_by]
        surplus = [key for key in self.undo_by if key not in keys]
        return missing + [f"{key} has undo statements, and will not run. Correct the version." for key in surplus]

    @contextmanager
    def _flyway(self, context: Context, remembered: Memory | None = None) -> Iterator[tuple[flyway.Flyway, Folder]]:
        connection, known = context.connection(self.connection), remembered or {}
        session = _session(context, known) if known else "changewindow"
        with self.migrations.opened(context, known.get("commit", "")) as folder:
            url = self.jdbc_url or flyway.jdbc_url(connection, session=session, lock_timeout=self.lock_timeout)
            environment = flyway.environment(connection, folder.path, self.history, url=url)
            yield flyway.Flyway(context, self.program, folder.path, environment), folder


def _key(migration: Mapping[str, Any]) -> str:
    return flyway.key(migration["version"], migration["filepath"])


def _session(context: Context, remembered: Memory) -> str:
    return f"changewindow {context.mark} {remembered['token']}"
