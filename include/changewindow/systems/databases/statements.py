"""The SQL statements that tickets hold, each a part of a transaction that is ours."""

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, StringConstraints

from changewindow.documents.refusal import refusal
from changewindow.documents.text import shown

if TYPE_CHECKING:
    from sqlalchemy import Connection as DatabaseConnection

TABLE = r"^([a-z_][a-z0-9_]*\.)?[a-z_][a-z0-9_]*$"
"""The name of a table; a schema may stand before it."""
ENDS_TRANSACTION = re.compile(
    r"(\s|--[^\n]*\n|/\*.*?\*/)*((commit|rollback|abort|start\s+transaction|prepare\s+transaction)\b"
    r"|(begin|end)\s*(;|$|tran|work|immediate|exclusive|deferred|isolation|read\b|not\b|and\b))",
    re.IGNORECASE | re.DOTALL,
)
OUTSIDE = re.compile(
    r"(\s|--[^\n]*\n|/\*.*?\*/)*(vacuum|alter\s+system"
    r"|(create\s+(unique\s+)?index|drop\s+index|reindex\s+(\([^)]*\)\s*)?\w+)\s+concurrently)\b",
    re.IGNORECASE | re.DOTALL,
)

DATA = re.compile(
    r"(\s|--[^\n]*\n|/\*.*?\*/)*(insert|update|delete|merge|replace|truncate|analyze|lock|set|reset|refresh|explain)\b",
    re.IGNORECASE | re.DOTALL,
)
"""What changes rows and no schema; a SELECT or WITH is not among them, as a function may create what it likes."""


def changes_schema(statement: str) -> bool:
    """Return whether a statement may change tables, or what else a schema holds."""
    return not all(DATA.match(part) for part in parts(statement) if part.strip(" \n\t;"))


def parts(statement: str) -> list[str]:
    """Return the statements of which a text consists; text, comments and blocks may hold semicolons."""
    if ";" not in statement.strip().rstrip(";"):
        return [statement]
    import sqlparse  # noqa: PLC0415  few readers of a ticket need it

    return [str(part) for part in sqlparse.split(statement)]


def _leaves_transaction_alone(statement: str) -> str:
    for part in parts(statement):
        if ENDS_TRANSACTION.match(part):
            raise refusal(f"{shown(part)} begins or ends a transaction", "Leave it out, all are one already.")
        if OUTSIDE.match(part):
            remedy = "Leave it or CONCURRENTLY out, or let a command run it."
            raise refusal(f"{shown(part)} cannot run in a transaction, as all do here", remedy)
    return statement


Text = Annotated[str, StringConstraints(min_length=1), AfterValidator(_leaves_transaction_alone)]
"""One statement."""


def transaction_id(opened: "DatabaseConnection") -> object:
    """Return what identifies the transaction, where a statement could end it unseen (PostgreSQL)."""
    return opened.exec_driver_sql("SELECT txid_current()").scalar() if opened.dialect.name == "postgresql" else None
