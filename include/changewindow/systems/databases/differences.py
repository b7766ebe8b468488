"""Names the tables and other objects of a schema that are not as they were before a change."""

from collections.abc import Mapping
from typing import Any


def why_not_as_before(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return which tables differ, and what to do; empty where none does, or where none were remembered.

    Both have the `shape` of all tables, `tables` that of each, and `objects` that of all else where the database tells
    (PostgreSQL); earlier versions have not remembered the last two.
    """
    if not before.get("shape") or before["shape"] == now["shape"]:
        return objects_not_as_before(before.get("objects") or {}, now["objects"]) if before.get("objects") else ""
    named = f" ({'; '.join(_differences(before['tables'], now['tables']))})" if "tables" in before else ""
    return (
        f"its tables are not as they were{named}: a migration died half-way, or its undo or a callback left that "
        "behind. Bring them back by hand, then undo again"
    )


def objects_not_as_before(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return which objects differ, and what to do; empty where none does."""
    if before == now:
        return ""
    remedy = "Bring that back by hand, or find out who else changed it, then undo again"
    return f"its schema is not as it was ({'; '.join(_differences(before, now))}). {remedy}"


def _differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return what each difference is."""
    kinds = {
        "left": [table for table in now if table not in before],
        "missing": [table for table in before if table not in now],
        "changed": [table for table in now if before.get(table, now[table]) != now[table]],
    }
    return [f"{kind}: {', '.join(sorted(tables))}" for kind, tables in kinds.items() if tables]
