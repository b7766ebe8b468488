"""The code keeps its shape: which room may use which, and how long a thing may be."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TypeGuard

from support import layout
from support.layout import INCLUDE, KINDS, ROOT, imports, room, tree

DEMO = [path for path in layout.files() if INCLUDE / "demo" in path.parents]
PRODUCT = sorted({*layout.files()} - {*DEMO})
TESTS = sorted((ROOT / "tests").rglob("*.py"))
EVERYTHING = PRODUCT + DEMO + TESTS
TOP_LEVEL = {
    *(".ci", ".dockerignore", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "Dockerfile", "LICENSE", "Makefile"),
    *("README.md", "SECURITY.md", "dags", "docker-compose.yaml", "include", "plugins", "pyproject.toml"),
    *("requirements.txt", "tests"),
}
VAGUE = {"utils", "helpers", "common", "manager", "service"}
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)
WITH_STATEMENTS = ("body", "orelse", "finalbody", "handlers", "cases")
"""What of a statement holds others; no block stands within an expression."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


def short(path: Path) -> str:
    """Return a path as one says it."""
    return str(path.relative_to(ROOT))


def within(name: str, *packages: str) -> bool:
    """Return whether a module is one of the packages, or inside one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def importing(paths: list[Path], *packages: str) -> list[str]:
    """Return each import of the packages in the files."""
    return [f"{short(path)}: {name}" for path in paths for name in sorted(imports(path)) if within(name, *packages)]


def outside(*rooms: str) -> list[Path]:
    """Return the files of the product that lie in none of these rooms."""
    return [path for path in PRODUCT if room(layout.dotted(path)) not in rooms]


def test_only_flow_knows_airflow() -> None:
    """Everything that knows about change windows is plain Python; what Airflow loads is excepted."""
    assert importing(outside("flow", "dags", "plugins"), "airflow") == []


def test_only_pages_and_the_api_server_know_fastapi() -> None:
    """A page, or what runs in Airflow's API server, may use it; nothing else."""
    server = INCLUDE / "changewindow" / "flow" / "server"
    assert importing([path for path in outside("web") if server not in path.parents], "fastapi", "starlette") == []


def test_every_module_has_a_room_and_every_room_a_floor() -> None:
    """A module without a room is a sign that a word is missing."""
    assert layout.loose() == []
    assert set(layout.rooms()) <= {name for rooms in layout.FLOORS for name in rooms}


def test_imports_lead_downwards() -> None:
    """A room imports only from rooms on floors below its own; what only type checkers import counts too."""
    assert layout.upwards() == []


def test_no_modules_import_each_other() -> None:
    """There is no circle, not even through a third module."""
    assert layout.circles() == []


def test_kinds_do_not_import_each_other() -> None:
    """A kind is one file beside its contract; what two kinds share belongs into a room below."""
    shared = {f"changewindow.{folder}.base" for folder in KINDS} | {f"changewindow.{folder}" for folder in KINDS}
    between = [
        str(arrow)
        for arrow in layout.arrows()
        if room(arrow.importer) in KINDS and room(arrow.imported) in KINDS and arrow.imported not in shared
    ]
    assert between == []


def test_the_product_knows_no_demo_and_no_test() -> None:
    """The demo uses the product, never the other way round."""
    assert importing(PRODUCT, "demo", "tests", "pytest", "hypothesis") == []


def test_reading_a_ticket_imports_only_what_it_names() -> None:
    """Processes that start anew read tickets: kinds, and libraries that few kinds need, are imported when named."""
    seldom = ("aiohttp", "ansible_runner", "boto3", "cryptography", "dns", "httpx", "kubernetes", "requests", "scipy")
    program = f"""
import sys, yaml, pathlib
from changewindow.ticket.reader import build_ticket
build_ticket(yaml.safe_load(pathlib.Path("include/tickets/release.yaml").read_text()))
kinds = {{name for name in sys.modules for room in ("steps", "sources") if name.startswith("changewindow." + room)}}
print(*sorted(name.removeprefix("changewindow.") for name in kinds), *sorted(set(sys.modules) & set({seldom})))
"""
    environment = {**os.environ, "PYTHONPATH": str(INCLUDE)}
    imported = subprocess.check_output([sys.executable, "-c", program], env=environment, text=True, cwd=ROOT).split()
    rooms, named = ["sources", "sources.base", "steps", "steps.base"], {"command", "git_change", "http", "openmetrics"}
    assert {name.split(".")[-1] for name in imported if name not in rooms} == named | {"httpx"}


def test_a_module_is_short() -> None:
    """At most 250 lines, a test 400."""
    problems = [
        f"{short(path)}: {lines} lines, {limit} allowed"
        for path in EVERYTHING
        for limit in [400 if path in TESTS else 250]
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > limit
    ]
    assert not problems, "\n".join(problems)


def test_a_function_is_short_and_flat() -> None:
    """At most 39 lines without its docstring, 4 positional parameters, and 3 levels of nesting."""
    problems = [
        f"{short(path)}: {function.name}: {number} {what}, {limit} allowed"
        for path in EVERYTHING
        for function in ast.walk(tree(path))
        if isinstance(function, Function)
        for number, what, limit in (
            (layout.lines(function), "lines", 39),
            (_positional(function), "positional parameters", 4),
            (max((_depth(child) for child in function.body), default=0), "levels", 3),
        )
        if number > limit
    ]
    assert not problems, "\n".join(problems)


def _positional(function: Function) -> int:
    given = [*function.args.posonlyargs, *function.args.args]
    return len([argument for argument in given if argument.arg not in {"self", "cls"}])


def _depth(node: ast.AST) -> int:
    """Return how many blocks stand inside each other; `elif` stands beside its `if`, and a function begins anew."""
    if isinstance(node, Function | ast.ClassDef):
        return 0
    statements = [child for name in WITH_STATEMENTS for child in getattr(node, name, ())]
    inside = max((_depth(child) for child in statements if not _is_elif(node, child)), default=0)
    beside = max((_depth(child) for child in statements if _is_elif(node, child)), default=0)
    return max(inside + isinstance(node, BLOCKS), beside)


def _is_elif(node: ast.AST, child: ast.AST) -> bool:
    return isinstance(node, ast.If) and node.orelse == [child] and isinstance(child, ast.If)


def test_everything_public_has_a_docstring() -> None:
    """Modules, classes and functions say what they promise; a test says the behaviour."""
    silent = [short(path) for path in EVERYTHING if not ast.get_docstring(tree(path))]
    for path in EVERYTHING:
        top = tree(path).body
        members = [member for node in top if isinstance(node, ast.ClassDef) for member in node.body]
        silent += [f"{short(path)}: {node.name}" for node in [*top, *members] if _is_silent(node)]
    assert not silent, "\n".join(silent)


def _is_silent(node: ast.stmt) -> TypeGuard[Function | ast.ClassDef]:
    if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
        return False
    return not ast.get_docstring(node) and not _is_protocol_field(node)


def _is_protocol_field(node: ast.AST) -> bool:
    """Return whether a member consists of its name and type alone."""
    return isinstance(node, Function) and [ast.unparse(statement) for statement in node.body] == ["..."]


def test_a_name_says_what_is_inside() -> None:
    """No module is called by a word that means anything; `demo/service.py` is the service of the demo."""
    assert [short(path) for path in PRODUCT + TESTS if {path.stem, path.parent.name} & VAGUE] == []


def test_the_top_level_holds_what_is_meant_to_be_there() -> None:
    """A file that a program has left there by accident is not kept."""
    kept = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
    assert {Path(name).parts[0] for name in kept} == TOP_LEVEL


def test_tests_use_the_real_thing() -> None:
    """At most one mock or patch in ten tests."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in TESTS if path.name != Path(__file__).name)
    uses = re.findall(r"\b(?:MagicMock|Mock|patch|monkeypatch\.setattr)\(", text)
    tests = re.findall(r"^\s*(?:async )?def test_", text, re.MULTILINE)
    assert len(uses) * 10 <= len(tests)


OURS = {
    "calendar/recurrence.py: re.fullmatch(until, ...)": "one of two literals",
    "calendar/recurrence.py: re.fullmatch(NUMBERED_DAY if name == 'BYDAY' else DAY, ...)": "one of two constants",
    "changes/click_text.py: re.compile(GAP.sub('(?P<\\\\1>[^/]+)', deep), ...)": "from a table beside it",
    "documents/expressions.py: re.compile(expression, ...)": "it is compiled, and nothing is matched with it",
    "documents/yaml.py: re.compile(f'^(?:{pattern})$', ...)": "from a table beside it",
    "systems/databases/transactions.py: re.search(sign, ...)": "the signs are a table beside it",
    "systems/secret_options.py: re.compile(f'(?<![\\\\w-])(?:{names})\\\\s{SEGMENT}', ...)": "from a table beside it",
    "systems/secret_options.py: re.compile(f'(?<!\\\\S)((?:{before})){VALUE}', ...)": "from a table beside it",
    "systems/secret_options.py: re.compile(f'(?<![\\\\w-]){argument}', ...)": "from a table beside it",
    "systems/hosts/ssh_refusals.py: re.search(pattern, ...)": "the patterns are a table beside it",
}
"""Expressions of ours that have no name in capitals, and where they come from."""


def test_python_s_expressions_are_ours_alone() -> None:
    """One from outside could stop a process for ever; `systems/expressions.py` matches those."""
    from_elsewhere = {
        f"{path.relative_to(INCLUDE / 'changewindow')}: {ast.unparse(call.func)}({ast.unparse(call.args[0])}, ...)"
        for path in PRODUCT
        for call in ast.walk(tree(path))
        if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("re.") and not _is_ours(call.args[0])
    }
    assert from_elsewhere == OURS.keys()


def _is_ours(expression: ast.expr) -> bool:
    """Return whether an expression is written where it is used, or is a constant with a name."""
    return isinstance(expression, ast.Constant) or (isinstance(expression, ast.Name) and expression.id.isupper())
