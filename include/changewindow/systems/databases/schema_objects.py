"""Tells each object of a database's schema as a digest, to name those that are not as they were.

Alembic's interpreter runs it too, see `alembic_report`; so it imports nothing of ours.
"""

import hashlib
import json
from typing import Any

from sqlalchemy import inspect

MOST = 2000
"""Objects that are told apart; a schema with more has one digest for all, under the name `schema`."""
POSTGRESQL = r"""
WITH ours AS (
  SELECT oid, nspname, CASE nspname WHEN 'public' THEN '' ELSE nspname || '.' END AS before FROM pg_namespace
  WHERE nspname NOT IN ('pg_catalog', 'information_schema') AND left(nspname, 7) NOT IN ('pg_temp', 'pg_toas')
), relations AS (
  SELECT c.oid, c.relkind, before, before || c.relname AS name FROM pg_class c JOIN ours ON ours.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
)
SELECT CASE relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'view ' WHEN 'S' THEN 'sequence ' ELSE 'table ' END || r.name,
  r.name,
  concat_ws(';', relkind, (
    SELECT string_agg(concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod), a.attnotnull,
      a.attidentity, pg_get_expr(d.adbin, d.adrelid)), ',' ORDER BY a.attname)
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  ), CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(r.oid) END, (
    SELECT string_agg(quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid), ',' ORDER BY k.conname)
    FROM pg_constraint k WHERE k.conrelid = r.oid AND k.contype <> 'n'
  ))
FROM relations r
UNION ALL
SELECT 'index ' || before || quote_ident(c.relname), r.name, pg_get_indexdef(c.oid) || i.indisvalid::text
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN relations r ON r.oid = i.indrelid
UNION ALL
SELECT 'trigger ' || quote_ident(t.tgname) || ' of ' || r.name, r.name,
  pg_get_triggerdef(t.oid) || t.tgenabled::text
FROM pg_trigger t JOIN relations r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL
SELECT 'function ' || before || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', '',
  concat_ws(';', regexp_replace(p.prosrc, '\s+', ' ', 'g'), p.prolang, p.prorettype::regtype, p.provolatile,
    p.prosecdef)
FROM pg_proc p JOIN ours ON ours.oid = p.pronamespace
WHERE NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
UNION ALL
SELECT 'type ' || before || t.typname, '', concat_ws(';', t.typtype, format_type(t.typbasetype, t.typtypmod), (
    SELECT string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid))
FROM pg_type t JOIN ours ON ours.oid = t.typnamespace WHERE t.typtype IN ('e', 'd')
AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e')
UNION ALL
SELECT 'extension ' || extname, '', '' FROM pg_extension
UNION ALL
SELECT 'schema ' || nspname, nspname || '.', '' FROM ours
"""
"""Partitions are left out: programs make them by the clock, and what they inherit is told by their table."""
SQLITE = "SELECT type || ' ' || name, tbl_name, sql FROM sqlite_master WHERE type IN ('trigger', 'view')"
Told = tuple[str, str, Any]
"""An object, the table that it belongs to, and what it is."""


def objects(connection: Any, but: str) -> dict[str, str]:
    """Return a digest of each object, without those of one table: on PostgreSQL of all schemas."""
    return catalogued(connection, but) or _digests(_reflected(connection), but)


def catalogued(connection: Any, but: str) -> dict[str, str]:
    """Return the same where the database itself tells all of it (PostgreSQL), and else nothing."""
    if connection.dialect.name != "postgresql":
        return {}
    return _digests([tuple(row) for row in connection.exec_driver_sql(POSTGRESQL)], but)


def _digests(told: list[Any], but: str) -> dict[str, str]:
    """Return the digests of what does not belong to one table, nor is the schema that was made for it."""
    plain = but.rpartition(".")[2]
    hidden = {of for _, of, _ in told if of.rpartition(".")[2] == plain}
    hidden |= {f"{of.rpartition('.')[0]}." for of in hidden if "." in of}
    digests = {name: _digest(what) for name, of, what in sorted(told, key=str) if of not in hidden}
    return digests if len(digests) <= MOST else {"schema": _digest(digests)}


def _reflected(connection: Any) -> list[Told]:
    """Return what is told of tables, their columns in any order, their indexes, views and SQLite's triggers."""
    seen, told = inspect(connection), list[Told]()
    is_sqlite = connection.dialect.name == "sqlite"
    for table in seen.get_table_names():
        columns = [[c["name"], str(c["type"]), c["nullable"], str(c.get("default"))] for c in seen.get_columns(table)]
        keys = [seen.get_pk_constraint(table).get("constrained_columns"), _sorted(seen.get_foreign_keys(table))]
        unique = _sorted(seen.get_unique_constraints(table)) if is_sqlite else []
        told.append((f"table {table}", table, [sorted(columns), keys, unique]))
        told += [
            (f"index {index['name']}", table, [index["column_names"], index.get("unique")])
            for index in seen.get_indexes(table)
        ]
    if not is_sqlite:
        return [*told, *((f"view {view}", view, "") for view in seen.get_view_names())]
    rows = connection.exec_driver_sql(SQLITE)
    return [*told, *((name, of, " ".join(str(text).split())) for name, of, text in rows)]


def _sorted(constraints: list[Any]) -> list[str]:
    return sorted(json.dumps(constraint, sort_keys=True, default=str) for constraint in constraints)


def _digest(structure: Any) -> str:
    return hashlib.sha256(json.dumps(structure, sort_keys=True, default=str).encode()).hexdigest()[:12]
