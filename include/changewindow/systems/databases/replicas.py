"""Tells how old the data is that a database answers from."""

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection as DatabaseConnection

AGE = """
    SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() THEN extract(epoch FROM clock_timestamp() - greatest(
        pg_last_xact_replay_timestamp(),
        (SELECT last_msg_send_time FROM pg_stat_wal_receiver WHERE latest_end_lsn <= pg_last_wal_replay_lsn())
    )) END
"""
"""How many seconds ago the primary held what a replica holds (PostgreSQL): when it committed the last transaction that
was replayed, or when it last said that there is no more than was replayed, which not every account may see."""
FRESH = timedelta(0)


def age_of(opened: "DatabaseConnection") -> timedelta | None:
    """Return how old the data is: none at all on a primary, and None where a replica does not tell."""
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415  few readers of a ticket need a database

    if opened.dialect.name != "postgresql":
        return FRESH
    try:
        with opened.begin_nested():
            is_replica, seconds = opened.exec_driver_sql(AGE).one()
    except DBAPIError:  # a database that speaks like PostgreSQL, and knows less of itself
        return FRESH if _is_primary(opened) else None
    if not is_replica:
        return FRESH
    return None if seconds is None else max(FRESH, timedelta(seconds=float(seconds)))


def _is_primary(opened: "DatabaseConnection") -> bool:
    """Return whether a database that cannot tell how old its data is takes writes."""
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415  see above

    try:
        with opened.begin_nested():
            return not opened.exec_driver_sql("SELECT pg_is_in_recovery()").scalar()
    except DBAPIError:  # it has no such replicas
        return True
