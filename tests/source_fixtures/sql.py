"""An answer for `sql`: a real PostgreSQL with two orders that are stuck."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from changewindow.sources.sql import EXAMPLE
from servers.postgres import shared
from source_fixtures import Answers


@contextmanager
def place(folder: Path) -> Iterator[Answers]:
    """Write the orders."""
    server = shared()
    known = replace(server.fresh(), name="example_orders")
    server.ask("CREATE TABLE orders AS VALUES ('stuck'), ('sent'), ('stuck')", known.schema)
    server.ask("ALTER TABLE orders RENAME column1 TO state", known.schema)
    server.ask("ALTER TABLE orders OWNER TO robot", known.schema)
    yield Answers(EXAMPLE, {"equals": 2}, (known,))
