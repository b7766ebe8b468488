"""Runs SQL statements in one transaction; undo runs the ticket's undo statements, if that transaction was committed.

For any database with an Airflow Connection (PostgreSQL, SQLite, and each whose provider is installed). The rows that a
statement touches are held against what the ticket announces, before the commit: other numbers roll everything back.
Whether apply was committed stands in the database itself: it writes a row into a small applied-marker table (`marks`,
made at first use) in the same transaction. So undo is right also when apply died between commit and report, does
nothing when apply was rolled back, and waits for an apply that is still being committed. A second undo does nothing;
one that does not find the row of an apply which had ended well fails.

Nobody queues behind a statement that waits for a lock longer than `lock_timeout`. These two limits hold on PostgreSQL
and SQLite; elsewhere write `lock_timeout: null` and `statement_timeout: null`, and let a first statement set the
database's own. Databases that commit each DDL statement by itself (MySQL, Oracle) may be left with half of the
statements: undo runs then, so write undo statements that can run on half of it (`DROP TABLE IF EXISTS`).
What cannot run in a transaction (CREATE INDEX CONCURRENTLY, VACUUM) is refused.
"""

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.text import shown
from changewindow.documents.types import ConnectionName, Duration, Model
from changewindow.errors import StepFailed
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context
from changewindow.systems.databases.differences import objects_not_as_before
from changewindow.systems.databases.lock_holders import lock_holders
from changewindow.systems.databases.statements import TABLE, Text, changes_schema, parts, transaction_id
from changewindow.systems.databases.transactions import (
    LIMITED,
    DatabaseFailed,
    Limits,
    end_session,
    reading,
    touched,
    transaction,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection as DatabaseConnection

# `applied_markers` imports SQLAlchemy, which few readers of a ticket need: it is imported where it is used.

EXAMPLE = {
    "name": "Let Europe order more per day",
    "kind": "sql",
    "connection": "example_orders",
    "statements": [{"run": "UPDATE limits SET per_day = 500 WHERE region = 'eu'", "rows": 1}],
    "undo": [{"run": "UPDATE limits SET per_day = 300 WHERE region = 'eu'", "rows": 1}],
}


class Rows(Model):
    """How many rows a statement may touch."""

    at_least: int = Field(default=0, ge=0)
    at_most: int = Field(ge=0)

    @model_validator(mode="after")
    def _goes_upwards(self) -> Self:
        if self.at_least > self.at_most:
            raise refusal(f"at_least {self.at_least} is above at_most {self.at_most}", "Write the lower one first.")
        return self


class Statement(Model):
    """A statement with the rows it is to touch."""

    run: Text
    rows: Annotated[int, Field(ge=0)] | Rows
    """A number, or `at_most` with `at_least`."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(parts(self.run)) > 1:
            raise refusal(f"{shown(self.run)} is several statements, and rows counts one", "Write each by itself.")
        return self


Statements = Annotated[tuple[Text | Statement, ...], Field(min_length=1)]


class Step(StepBase):
    """Statements, with those that undo them."""

    kind: Literal["sql"] = "sql"
    is_configuration: ClassVar[bool] = True
    why_not_before_approval: ClassVar[str] = ""

    connection: ConnectionName
    """The Airflow Connection of the database."""
    statements: Statements
    """Statements in their order; `{run: …, rows: 3}` where the number of rows is known."""
    undo_statements: Statements | Literal["nothing"] = Field(alias="undo")
    """The statements that undo them; `nothing` when there is nothing to undo, as for ANALYZE."""
    lock_timeout: Duration | None = timedelta(seconds=5)
    """How long a statement may wait for a lock."""
    statement_timeout: Duration | None = timedelta(minutes=5)
    """How long a statement may take."""
    marks: str = Field(default="changewindow_marks", pattern=TABLE)
    """The applied-marker table, which records what was committed; a schema may stand before it."""

    def does(self) -> str:
        """Describe the statements."""
        return f"{_joined(self.statements)} at {self.connection}, in one transaction"

    def undoes(self) -> str:
        """Describe the statements of undo."""
        if self.undo_statements == "nothing":
            return "nothing to undo"
        return f"{_joined(self.undo_statements)} at {self.connection}, in one transaction, if that was committed"

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return whether the database is unreachable, takes no writes, or cannot keep the applied-marker table."""
        from changewindow.systems.databases import applied_markers  # noqa: PLC0415  see above

        connection = context.connection(self.connection)
        with reading(connection, self._limits) as opened:
            name = opened.dialect.name
            if name not in LIMITED and (self.lock_timeout or self.statement_timeout):
                problem = (
                    f"lock_timeout and statement_timeout do not hold on {name}. Write both as null, and let the first "
                )
                return [f"{problem}statement set what the database has."]
            if name == "postgresql" and opened.exec_driver_sql("SELECT pg_is_in_recovery()").scalar():
                return [f"Connection {self.connection} leads to a replica, which only reads. Name the primary."]
            if name == "postgresql" and opened.exec_driver_sql("SHOW default_transaction_read_only").scalar() == "on":
                problem = (
                    f"Connection {self.connection} leads to a database or account with default_transaction_read_only"
                )
                return [f"{problem}, which only reads. Name another, or set it off."]
            return applied_markers.missing_for_markers(opened, applied_markers.marker_table(self.marks))

    def remember(self, context: Context) -> Memory:
        """Return the token under which the database will know this very attempt, and the schema if it may change."""
        token = {"token": uuid.uuid4().hex}
        return {**token, "objects": self._objects(context)} if self._changes_schema else token

    def apply(self, context: Context, remembered: Memory) -> None:
        """Run the statements, hold their rows against what was announced, and commit."""
        context.act(
            f"{len(self.statements)} statement(s) at {self.connection}", lambda: self._apply(context, remembered)
        )

    def undo(self, context: Context, remembered: Memory) -> None:
        """Run the undo statements, if apply was committed and is not undone yet."""
        context.act(f"undo at {self.connection}, if it was committed", lambda: self._undo(context, remembered))
        if "objects" in remembered and not context.dry_run:
            self._require_schema(context, remembered)

    def _apply(self, context: Context, remembered: Memory) -> None:
        from changewindow.systems.databases import applied_markers  # noqa: PLC0415  see above

        connection, table = context.connection(self.connection), applied_markers.marker_table(self.marks)
        applied_markers.create_table(connection, self._limits, table)
        with transaction(connection, self._limits, session=_session(context, remembered)) as opened:
            applied_markers.mark_applied(opened, table, token=remembered["token"], step=context.mark)
            self._run(context, opened, self.statements)
            context.require_lock()

    def _undo(self, context: Context, remembered: Memory) -> None:
        from changewindow.systems.databases import applied_markers  # noqa: PLC0415  see above

        connection, session = context.connection(self.connection), _session(context, remembered)
        table = applied_markers.marker_table(self.marks)
        end_session(connection, session)
        applied_markers.create_table(connection, self._limits, table)
        with transaction(connection, self._limits, session=session) as opened:
            known, was_applied = remembered["token"], context.apply_ended == "applied"
            state = applied_markers.claim_undo(opened, table, token=known, step=context.mark, was_applied=was_applied)
            if state != applied_markers.APPLIED:
                context.log("nothing to undo: it was never committed, or is undone already")
                return
            if self.undo_statements != "nothing":
                self._run(context, opened, self.undo_statements)
            applied_markers.mark_undone(opened, table, token=remembered["token"])
            context.require_lock()

    def _require_schema(self, context: Context, remembered: Memory) -> None:
        """Make sure that the undo statements have left nothing, also when it was an earlier undo that ran them."""
        from changewindow.systems.databases import applied_markers  # noqa: PLC0415  see above

        table = applied_markers.marker_table(self.marks)
        with reading(context.connection(self.connection), self._limits) as opened:
            if applied_markers.state(opened, table, token=remembered["token"]) != applied_markers.UNDONE:
                return  # it was never applied: what differs was somebody else
        if why := objects_not_as_before(remembered["objects"], self._objects(context)):
            raise StepFailed(f"The undo statements ran at {self.connection}, but {why}.")

    def _objects(self, context: Context) -> dict[str, str]:
        from changewindow.systems.databases.schema_objects import objects  # noqa: PLC0415  see above

        with reading(context.connection(self.connection), self._limits) as opened:
            return objects(opened, self.marks)

    @property
    def _changes_schema(self) -> bool:
        if self.undo_statements == "nothing":  # what they change is meant to stay
            return False
        return any(changes_schema(_text(statement)) for statement in (*self.statements, *self.undo_statements))

    def _run(self, context: Context, opened: "DatabaseConnection", statements: Statements) -> None:
        began = transaction_id(opened)
        for number, statement in enumerate(statements, 1):
            which = f"Statement {number} of {len(statements)} at {self.connection}"
            try:
                rows = touched(context.connection(self.connection), opened, _text(statement))
            except DatabaseFailed as failed:
                holders = lock_holders(context.connection(self.connection), str(failed))
                raise StepFailed(f"{which} failed, {_taken_back(opened)}. {failed}{holders}") from failed
            counted = f"{rows} rows" if rows >= 0 else "an unknown number of rows"
            context.log(f"{which}: {counted}: {shown(_text(statement))}")
            if isinstance(statement, Statement) and not _is_announced(rows, statement.rows):
                wanted = _announced(statement.rows)
                raise StepFailed(f"{which} touched {counted}, {wanted} announced; {_taken_back(opened)}.")
            if transaction_id(opened) != began:
                raise StepFailed(f"{which} ended the transaction. Take the COMMIT out of it.")

    @property
    def _limits(self) -> Limits:
        longest = self.statement_timeout and min(self.statement_timeout, self.timeout)
        return Limits(self.lock_timeout, longest)


def _session(context: Context, remembered: Memory) -> str:
    return f"changewindow {context.mark} {remembered['token'][:8]}"


def _taken_back(opened: "DatabaseConnection") -> str:
    transactional = opened.dialect.name in {*LIMITED, "mssql"}
    return "everything is rolled back" if transactional else "everything but DDL is rolled back"


def _is_announced(rows: int, wanted: int | Rows) -> bool:
    return wanted.at_least <= rows <= wanted.at_most if isinstance(wanted, Rows) else rows == wanted


def _announced(wanted: int | Rows) -> str:
    return f"{wanted.at_least} to {wanted.at_most}" if isinstance(wanted, Rows) else str(wanted)


def _text(statement: str | Statement) -> str:
    return statement.run if isinstance(statement, Statement) else statement


def _joined(statements: Statements) -> str:
    return "; ".join(_text(statement) for statement in statements)
