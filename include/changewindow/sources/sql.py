"""Asks a database a query that returns one value: one row with one column.

For any database with an Airflow Connection. The query runs in a transaction that is rolled back, and that can only
read on PostgreSQL and SQLite; elsewhere name an account that may only read. No row and NULL are `no_data`, several rows
or columns are `invalid`: aggregate in SQL. It waits for no lock longer than two seconds; on PostgreSQL and SQLite the
database stops it after `timeout`, elsewhere only the wait for it ends.

What a replica of PostgreSQL answers is as old as what it has replayed, so that a watch takes nothing from before the
change. While the primary is idle, only an account with `pg_read_all_stats` on it can see that nothing is missing, and
only every half a minute: give the watch a `settle` of 1m. Of replicas of other databases, and of a replica that follows
another one, nobody knows how old they are: name the primary.
"""

import math
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import Field

from changewindow.documents.types import ConnectionName, Duration
from changewindow.sources.base import SourceBase
from changewindow.systems.alerts_in_promql import mentioned_alerts
from changewindow.systems.databases.query import one_value
from changewindow.systems.measurement import Answer, SourceContext, SourceError

EXAMPLE = {
    "kind": "sql",
    "connection": "example_orders",
    "query": "SELECT count(*) FROM orders WHERE state = 'stuck'",
}


class Source(SourceBase):
    """A query."""

    kind: Literal["sql"] = "sql"
    why_not_before_approval: ClassVar[str] = "it would run the ticket's query"
    connection: ConnectionName
    """The Airflow Connection of the database."""
    query: str = Field(min_length=1)
    """A SELECT that returns one value."""
    timeout: Duration = Field(default=timedelta(seconds=10), gt=timedelta(0))
    """How long the database may work on it."""

    def description(self) -> str:
        """Return the query."""
        return f"{self.query} at {self.connection}"

    def unseen(self) -> str:
        """Return what in the query speaks of alerts."""
        return mentioned_alerts(self.query)

    async def ask(self, context: SourceContext) -> Answer:
        """Run the query."""
        started = context.now()
        answered = await one_value(await context.connection(self.connection), self.query, self.timeout)
        value = answered.value
        if isinstance(value, Decimal):
            value = _number(value)
        if isinstance(value, datetime | date):
            value = value.isoformat()
        if not isinstance(value, bool | int | float | str):
            raise SourceError("invalid", f"{self.query} returned {type(value).__name__}; cast it to a number or text")
        if isinstance(value, float) and not math.isfinite(value):
            raise SourceError("invalid", f"{self.query} returned {value}, which is no number to compare with")
        return Answer(value, answered.at(started, context), self.query, answered.note)


def _number(value: Decimal) -> float:
    """Return a number of the database; a whole one that a float would round is exact."""
    number = float(value)
    is_rounded = math.isfinite(number) and value == value.to_integral_value() and int(value) != number
    return int(value) if is_rounded else number
