"""Tells the tables of a database as a digest, to see whether they are as they were.

Alembic's interpreter runs it too, see `alembic_report`; so it imports nothing of ours.
"""

import hashlib
import json
from typing import Any

from sqlalchemy import inspect


def shape(connection: Any, but: str) -> str:
    """Return a digest of all tables but one."""
    return _digest(_tables(connection, but))


def shapes(connection: Any, but: str) -> dict[str, str]:
    """Return a digest of each table but one, to name those that differ."""
    return {table: _digest(structure)[:12] for table, structure in _tables(connection, but).items()}


def _tables(connection: Any, but: str) -> dict[str, list[Any]]:
    """Return all tables but one, their columns in any order, and indexes."""
    seen = inspect(connection)
    return {
        table: [
            sorted([column["name"], str(column["type"]), column["nullable"]] for column in seen.get_columns(table)),
            sorted(str(index["name"]) for index in seen.get_indexes(table)),
        ]
        for table in sorted(seen.get_table_names())
        if table != but
    }


def _digest(structure: Any) -> str:
    return hashlib.sha256(json.dumps(structure).encode()).hexdigest()
