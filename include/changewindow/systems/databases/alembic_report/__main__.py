"""Reports as JSON which of Alembic's migrations a database is at, and which of them have no downgrade.

Called as `PYTHON alembic_report VARIABLE REVISION` in the folder of alembic.ini, with the interpreter that has what
the migrations import; so this file imports nothing from this package. VARIABLE names the environment variable with
the address that env.py is to use. The last line of its output is the report.
"""

import ast
import inspect
import json
import os
import re
import runpy
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy.engine import make_url

SIGN = "changewindow-report "
DIGEST = runpy.run_path(str(Path(__file__).parents[1] / "schema_digest.py"))
"""By its path, because that interpreter may not have this package, or another version of it."""
TWICE = re.compile(r"Revision (\S+) is present more than once")


def main() -> None:
    """Print the report."""
    variable, revision = sys.argv[1:]
    sys.path.insert(0, os.getcwd())  # noqa: PTH109  as `python -m alembic` has it
    config = _config()
    script = ScriptDirectory.from_config(config)
    heads, twice = _heads(script)
    wanted = revision if revision != "head" else heads[0] if len(heads) == 1 else None
    asked = script.get_revision(wanted) if wanted else None
    report: dict[str, Any] = {"heads": heads, "target": asked.revision if asked else "", "way": [], "twice": twice}

    def see(current: Any, context: Any) -> list[Any]:
        way = _way(script, report["target"], sorted(current)) if asked and len(current) < 2 else []
        report.update(_described(way), **_seen(current, context, os.environ[variable]))
        report["unknown"] = [revision for revision in report["current"] if not _is_known(script, revision)]
        report["shape"] = DIGEST["shape"](context.connection, context.version_table)
        report["tables"] = DIGEST["shapes"](context.connection, context.version_table)
        return []

    with EnvironmentContext(config, script, fn=see, dont_mutate=True):
        script.run_env()
    print(f"\n{SIGN}{json.dumps(report)}", flush=True)  # on a line of its own, whatever env.py has printed


def _config() -> Config:
    """Return the configuration as the program `alembic` has it: from alembic.ini, pyproject.toml, or both."""
    if "toml_file" in inspect.signature(Config.__init__).parameters:
        return Config("alembic.ini", toml_file="pyproject.toml")
    if not Path("alembic.ini").is_file():
        sys.exit("there is no alembic.ini, and this Alembic reads no pyproject.toml; install 1.16 or newer")
    return Config("alembic.ini")


def _heads(script: ScriptDirectory) -> tuple[list[str], list[str]]:
    """Return the newest revisions, and those of which there are several files: Alembic only warns of them."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            heads = sorted(script.get_heads())
        except KeyError as error:
            sys.exit(f"a migration comes after revision {error}, which is not among them; bring its file back")
    return heads, sorted({match[1] for warning in warned if (match := TWICE.search(str(warning.message)))})


def _way(script: ScriptDirectory, target: str, current: list[str]) -> list[Script]:
    """Return the migrations from the current revision to the target, in that order; none if no path leads there."""
    try:
        return list(reversed(list(script.iterate_revisions(target, current[0] if current else "base"))))
    except (CommandError, RevisionError):
        return []


def _is_known(script: ScriptDirectory, revision: str) -> bool:
    try:
        return script.get_revision(revision) is not None
    except CommandError:
        return False


def _described(way: list[Script]) -> dict[str, list[str]]:
    """Return the migrations that lie between, and which of them join branches or cannot be undone."""
    return {
        "way": [migration.revision for migration in way],
        "branched": [migration.revision for migration in way if migration.is_merge_point or migration.dependencies],
        "without_downgrade": [migration.revision for migration in way if _lacks_downgrade(migration.module)],
    }


def _seen(current: Any, context: Any, given: str) -> dict[str, Any]:
    """Return what is only known while connected."""
    used, wanted = context.connection.engine.url, make_url(given)
    is_ours = (used.host, used.port, used.database) == (wanted.host, wanted.port, wanted.database)
    elsewhere = "" if is_ours else f"{used.host or ''}:{used.port or ''}/{used.database}"
    return {"current": sorted(current), "elsewhere": elsewhere}


def _lacks_downgrade(module: Any) -> bool:
    """Return whether a migration cannot be rolled back: its downgrade raises, or is empty while its upgrade is not."""
    back = _body(getattr(module, "downgrade", None))
    return any(isinstance(statement, ast.Raise) for statement in back) or (not back and bool(_body(module.upgrade)))


def _body(function: Any) -> list[ast.stmt]:
    """Return the statements of a function that do something."""
    if function is None:
        return []
    definition: Any = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    return [statement for statement in getattr(definition, "body", [definition]) if not _is_nothing(statement)]


def _is_nothing(statement: ast.stmt) -> bool:
    """Return whether a statement does nothing: a docstring, dots, `pass` or a bare return."""
    if isinstance(statement, ast.Expr | ast.Return):
        return statement.value is None or isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass)


if __name__ == "__main__":
    main()
