"""Tells as JSON where a database stands among Alembic's migrations, and whether each has a way back.

Called as `PYTHON alembic_report VARIABLE REVISION` in the folder of alembic.ini, with the interpreter that has what
the migrations import; so it imports nothing of ours. VARIABLE names the environment variable with the address that
env.py is to use. The last line of its output is the report.
"""

import ast
import hashlib
import inspect
import json
import os
import sys
import textwrap
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import inspect as look_at
from sqlalchemy.engine import make_url

SIGN = "changewindow-report "


def main() -> None:
    """Print the report."""
    variable, revision = sys.argv[1:]
    sys.path.insert(0, os.getcwd())  # noqa: PTH109  as `python -m alembic` has it
    config = Config("alembic.ini")
    script = ScriptDirectory.from_config(config)
    seen: dict[str, Any] = {}

    def see(current: Any, context: Any) -> list[Any]:
        seen.update(_seen(current, context, os.environ[variable]))
        return []

    with EnvironmentContext(config, script, fn=see, dont_mutate=True):
        script.run_env()
    heads = sorted(script.get_heads())
    wanted = revision if revision != "head" else heads[0] if len(heads) == 1 else None
    asked = script.get_revision(wanted) if wanted else None
    way = _way(script, asked.revision, seen["current"]) if asked and len(seen["current"]) < 2 else []
    report = {
        "heads": heads,
        "target": asked.revision if asked else "",
        "way": [one.revision for one in way],
        "branched": [one.revision for one in way if one.is_merge_point or one.dependencies],
        "without_downgrade": [one.revision for one in way if _lacks_downgrade(one.module)],
        **seen,
    }
    print(SIGN + json.dumps(report), flush=True)


def _way(script: ScriptDirectory, target: str, current: list[str]) -> list[Script]:
    """Return the migrations from where the database is to the target, in that order; none where there is no way."""
    try:
        return list(reversed(list(script.iterate_revisions(target, current[0] if current else "base"))))
    except CommandError:
        return []


def _seen(current: Any, context: Any, given: str) -> dict[str, Any]:
    """Return what is only known while connected; `shape` where DDL is no part of transactions."""
    used, wanted = context.connection.engine.url, make_url(given)
    is_ours = (used.host, used.port, used.database) == (wanted.host, wanted.port, wanted.database)
    transactional = bool(context.impl.transactional_ddl)
    shape = "" if transactional else _shape(context.connection)
    elsewhere = "" if is_ours else f"{used.host or ''}:{used.port or ''}/{used.database}"
    return {"current": sorted(current), "elsewhere": elsewhere, "transactional": transactional, "shape": shape}


def _shape(connection: Any) -> str:
    """Return a digest of the tables, their columns and indexes."""
    seen = look_at(connection)
    tables = {
        table: [
            [[column["name"], str(column["type"]), column["nullable"]] for column in seen.get_columns(table)],
            sorted(str(index["name"]) for index in seen.get_indexes(table)),
        ]
        for table in sorted(seen.get_table_names())
        if table != "alembic_version"
    }
    return hashlib.sha256(json.dumps(tables).encode()).hexdigest()


def _lacks_downgrade(module: Any) -> bool:
    """Return whether a migration cannot be taken back: it refuses to, or does nothing though its upgrade does."""
    back = _body(getattr(module, "downgrade", None))
    return any(isinstance(one, ast.Raise) for one in back) or (not back and bool(_body(module.upgrade)))


def _body(function: Any) -> list[ast.stmt]:
    """Return the statements of a function that do something."""
    if function is None:
        return []
    definition: Any = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    return [one for one in definition.body if not isinstance(one, ast.Pass) and not _is_text(one)]


def _is_text(statement: ast.stmt) -> bool:
    """Return whether it is a docstring or dots."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


if __name__ == "__main__":
    main()
