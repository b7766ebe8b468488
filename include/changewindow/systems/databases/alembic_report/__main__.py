"""Tells as JSON where a database stands among Alembic's migrations, and whether each has a way back.

Called as `PYTHON alembic_report VARIABLE REVISION` in the folder of alembic.ini, with the interpreter that has what
the migrations import; so it imports nothing of ours. VARIABLE names the environment variable with the address that
env.py is to use. The last line of its output is the report.
"""

import ast
import inspect
import json
import os
import runpy
import sys
import textwrap
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy.engine import make_url

SIGN = "changewindow-report "
SHAPE = runpy.run_path(str(Path(__file__).parents[1] / "schema_digest.py"))["shape"]
"""See `shape`: by its path, because the interpreter may know us not at all, or by another version."""


def main() -> None:
    """Print the report."""
    variable, revision = sys.argv[1:]
    sys.path.insert(0, os.getcwd())  # noqa: PTH109  as `python -m alembic` has it
    config = Config("alembic.ini")
    script = ScriptDirectory.from_config(config)
    try:
        heads = sorted(script.get_heads())
    except KeyError as error:
        sys.exit(f"a migration comes after revision {error}, which is not among them; bring its file back")
    wanted = revision if revision != "head" else heads[0] if len(heads) == 1 else None
    asked = script.get_revision(wanted) if wanted else None
    report: dict[str, Any] = {"heads": heads, "target": asked.revision if asked else "", "way": []}

    def see(current: Any, context: Any) -> list[Any]:
        way = _way(script, report["target"], sorted(current)) if asked and len(current) < 2 else []
        report.update(_told_of(way), **_seen(current, context, os.environ[variable]))
        report["unknown"] = [one for one in report["current"] if not _is_known(script, one)]
        leaves = not context.impl.transactional_ddl or any(_commits(one.module) for one in way)
        report["shape"] = SHAPE(context.connection, context.version_table) if leaves else ""
        return []

    with EnvironmentContext(config, script, fn=see, dont_mutate=True):
        script.run_env()
    print(f"\n{SIGN}{json.dumps(report)}", flush=True)  # on a line of its own, whatever env.py has printed


def _way(script: ScriptDirectory, target: str, current: list[str]) -> list[Script]:
    """Return the migrations from where the database is to the target, in that order; none where there is no way."""
    try:
        return list(reversed(list(script.iterate_revisions(target, current[0] if current else "base"))))
    except (CommandError, RevisionError):
        return []


def _is_known(script: ScriptDirectory, revision: str) -> bool:
    try:
        return script.get_revision(revision) is not None
    except CommandError:
        return False


def _told_of(way: list[Script]) -> dict[str, list[str]]:
    """Return what the migrations on the way are, and lack."""
    return {
        "way": [one.revision for one in way],
        "branched": [one.revision for one in way if one.is_merge_point or one.dependencies],
        "without_downgrade": [one.revision for one in way if _lacks_downgrade(one.module)],
    }


def _seen(current: Any, context: Any, given: str) -> dict[str, Any]:
    """Return what is only known while connected."""
    used, wanted = context.connection.engine.url, make_url(given)
    is_ours = (used.host, used.port, used.database) == (wanted.host, wanted.port, wanted.database)
    elsewhere = "" if is_ours else f"{used.host or ''}:{used.port or ''}/{used.database}"
    return {"current": sorted(current), "elsewhere": elsewhere}


def _commits(module: Any) -> bool:
    """Return whether a migration may commit on its way, as with `autocommit_block`; then it may leave a half."""
    return "commit" in inspect.getsource(module).lower()


def _lacks_downgrade(module: Any) -> bool:
    """Return whether a migration cannot be taken back: it refuses to, or does nothing though its upgrade does."""
    back = _body(getattr(module, "downgrade", None))
    return any(isinstance(one, ast.Raise) for one in back) or (not back and bool(_body(module.upgrade)))


def _body(function: Any) -> list[ast.stmt]:
    """Return the statements of a function that do something."""
    if function is None:
        return []
    definition: Any = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    return [one for one in getattr(definition, "body", [definition]) if not _is_nothing(one)]


def _is_nothing(statement: ast.stmt) -> bool:
    """Return whether it is a docstring, dots, or leaves without more ado."""
    if isinstance(statement, ast.Expr | ast.Return):
        return statement.value is None or isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass)


if __name__ == "__main__":
    main()
