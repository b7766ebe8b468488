"""Reports as JSON which of Alembic's migrations a database is at, and which of them have no downgrade.

Called as `PYTHON alembic_report VARIABLE REVISION FILE [COMMAND…]` in the folder of alembic.ini, with the interpreter
that has what the migrations import; so this file imports nothing from this package. VARIABLE names the environment
variable with the address that env.py is to use, FILE is where the report goes. To read Alembic takes longer than most
of what it does, so the program does more at once, each part in a process as fresh as if it had been started alone:

- `upgrade TO` or `downgrade TO`: Alembic does that first. FILE is there, but empty, once it has;
- `downgrade --sql`: afterwards, the way back from REVISION is written as SQL. The exit code is Alembic's.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.config import main as alembic
from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy.engine import make_url

OFFLINE = ["downgrade", "--sql"]
HINDRANCES = ("elsewhere", "unknown", "twice", "branched", "without_downgrade")
"""What keeps the gate from asking for the way back."""
DIGEST, OBJECTS = (
    runpy.run_path(str(Path(__file__).parents[1] / f"schema_{name}.py")) for name in ("digest", "objects")
)
"""By its path, because that interpreter may not have this package, or another version of it."""
TWICE = re.compile(r"Revision (\S+) is present more than once")


def main() -> None:
    """Write the report, and do what else is asked for."""
    variable, revision, name, *command = sys.argv[1:]
    sys.path[0], file = os.getcwd(), Path(name)  # noqa: PTH109  as `python -m alembic` has it
    if not command:
        file.write_text(json.dumps(_report(variable, revision)))
    elif command == OFFLINE:
        _with_way_back(variable, revision, file)
    else:
        _after(command, lambda: file.write_text(json.dumps(_report(variable, revision))), file)


def _after(command: list[str], report: Callable[[], object], file: Path) -> None:
    """Report once Alembic has done what it is told; the process that acts is this one, so that its end is seen."""
    goes, go = os.pipe()
    if (later := os.fork()) == 0:
        os.close(go)
        if os.read(goes, 1):
            report()
        return
    _run(command)
    file.touch()
    os.write(go, b"!")
    sys.exit(_code(later))


def _with_way_back(variable: str, revision: str, file: Path) -> None:
    """Report, and write the downgrades as SQL if there is a way."""
    ways, way = os.pipe()
    if (later := os.fork()) == 0:
        os.close(way)
        if told := os.read(ways, 1 << 16):
            _run([*OFFLINE, told.decode()])
        return
    file.write_text(json.dumps(report := _report(variable, revision)))
    if report["way"] and not any(report[hindrance] for hindrance in HINDRANCES):
        os.write(way, f"{report['target']}:{', '.join(report['current']) or 'base'}".encode())
    os.close(way)
    sys.exit(_code(later))


def _run(command: list[str]) -> None:
    """Run Alembic as `python -m alembic` does.

    Raises:
        SystemExit: it failed.
    """
    sys.argv[1:] = command
    alembic(command, prog="alembic")


def _code(process: int) -> int:
    """Return the exit code of a process once it has ended."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _report(variable: str, revision: str) -> dict[str, Any]:
    """Return where the database stands."""
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
        report["objects"] = OBJECTS["catalogued"](context.connection, context.version_table)
        return []

    with EnvironmentContext(config, script, fn=see, dont_mutate=True):
        script.run_env()
    return report


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
