"""Tells the tables of a database as a digest, to see whether they are as they were.

Alembic's interpreter runs it too, see `alembic_report`; so it imports nothing of ours.
"""

import hashlib
import json
from typing import Any

from sqlalchemy import inspect


def shape(connection: Any, but: str) -> str:
    """Return a digest of all tables but one, their columns in any order, and indexes."""
    seen = inspect(connection)
    tables = {
        table: [
            sorted([column["name"], str(column["type"]), column["nullable"]] for column in seen.get_columns(table)),
            sorted(str(index["name"]) for index in seen.get_indexes(table)),
        ]
        for table in sorted(seen.get_table_names())
        if table != but
    }
    return hashlib.sha256(json.dumps(tables).encode()).hexdigest()
