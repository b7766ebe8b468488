"""Names who holds locks in a database, for the message to somebody who waited for one in vain."""

from contextlib import suppress
from datetime import timedelta

from changewindow.systems.connection import Connection
from changewindow.systems.databases.transactions import PATIENCE, WAITED, DatabaseFailed, Limits, reading

HOLDERS = """
    SELECT DISTINCT format('%s %s %s', a.pid, coalesce(a.usename, a.backend_type), a.application_name)
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.granted AND l.locktype = 'relation' AND l.relation >= 16384 AND pid <> pg_backend_pid()
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
"""Relations from 16384 on are not the database's own; who changes rows holds a lock on their table too."""
MOST = 5


def lock_holders(connection: Connection, text: str) -> str:
    """Return who holds locks now if the error text is of a lock waited for in vain (PostgreSQL), else ""."""
    if not WAITED.search(text):
        return ""
    with suppress(DatabaseFailed), reading(connection, Limits(None, timedelta(seconds=PATIENCE))) as opened:
        if opened.dialect.name == "postgresql":
            asked = {"no_parameters": True}
            holders = sorted(row[0].strip() for row in opened.exec_driver_sql(HOLDERS, execution_options=asked))
            more = [f"{len(holders) - MOST} more"] if len(holders) > MOST else []
            return f" Locks are held there now by: {', '.join([*holders[:MOST], *more]) or 'nobody'}."
    return ""
