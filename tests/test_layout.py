"""The code keeps its shape: which part may import which, and how long a thing may be."""

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).resolve().parents[1]
INCLUDE = ROOT / "include"
PRODUCT = [*sorted((INCLUDE / "changewindow").rglob("*.py")), *sorted(ROOT.glob("dags/*.py"))]
PRODUCT += sorted(ROOT.glob("plugins/*.py"))
DEMO = sorted((INCLUDE / "demo").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
EVERYTHING = PRODUCT + DEMO + TESTS
KINDS = tuple(f"changewindow.{folder}" for folder in ("steps", "checks", "sources", "notify"))
EDGES = ("changewindow.flow", "changewindow.web", "changewindow.cli.main")
VAGUE = {"utils", "helpers", "common", "manager", "service"}
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def short(path: Path) -> str:
    """Return a path as one says it."""
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    """Return every module that a file imports, wherever the import stands."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{short(path)} imports relatively"
            found |= {f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def within(name: str, *packages: str) -> bool:
    """Return whether a module is one of the packages, or inside one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def folder(path: Path) -> str:
    """Return the folder of a file of ours below `changewindow`, like `steps`; an empty text for the core itself."""
    parts = path.relative_to(ROOT).parts
    return parts[2] if parts[0] == "include" and len(parts) > 3 else parts[0] if parts[0] != "include" else ""


def importing(paths: list[Path], *packages: str) -> list[str]:
    """Return each import of the packages in the files."""
    return [f"{short(path)}: {name}" for path in paths for name in sorted(imports(path)) if within(name, *packages)]


def test_only_flow_knows_airflow() -> None:
    """Everything that knows about change windows is plain Python; what Airflow loads is excepted."""
    assert importing([path for path in PRODUCT if folder(path) not in {"flow", "dags", "plugins"}], "airflow") == []


def test_the_core_imports_no_edge() -> None:
    """The arrows lead inwards: flow, web and the command line may import the core."""
    outside = {"flow", "web", "dags", "plugins"}
    core = [path for path in PRODUCT if folder(path) not in outside and path.name != "__main__.py"]
    assert importing(core, *EDGES) == []


def test_kinds_do_not_import_each_other() -> None:
    """A kind is one file beside its contract; what two kinds share belongs into the core."""
    of_kinds = {path: {name for name in imports(path) if within(name, *KINDS)} for path in PRODUCT}
    found = [
        f"{short(path)}: {name}"
        for path, names in of_kinds.items()
        if f"changewindow.{folder(path)}" in KINDS
        for name in names - {f"changewindow.{folder(path)}"}
        if not within(name, f"changewindow.{folder(path)}.base")
    ]
    assert found == []


def test_the_product_knows_no_demo_and_no_test() -> None:
    """The demo uses the product, never the other way round."""
    assert importing(PRODUCT, "demo", "tests", "pytest", "hypothesis") == []


def test_reading_a_ticket_loads_no_library_that_few_changes_need() -> None:
    """Every process of Airflow reads tickets; what takes long to import is imported when a step needs it."""
    seldom = ("ansible_runner", "boto3", "kubernetes", "kubernetes_asyncio", "scipy")
    program = f"import sys, changewindow.ticket.model; print([one for one in {seldom} if one in sys.modules])"
    command = [sys.executable, "-c", program]
    assert subprocess.check_output(command, env={**os.environ, "PYTHONPATH": str(INCLUDE)}, text=True).strip() == "[]"


def test_a_module_is_short() -> None:
    """At most 250 lines, a test 400."""
    found = [
        f"{short(path)}: {lines} lines, {limit} allowed"
        for path in EVERYTHING
        for limit in [400 if path in TESTS else 250]
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > limit
    ]
    assert not found, "\n".join(found)


def test_a_function_is_short_and_flat() -> None:
    """At most 40 lines without its docstring, 4 positional parameters, and 3 levels of nesting."""
    found = [
        f"{short(path)}: {function.name}: {number} {what}, {limit} allowed"
        for path in EVERYTHING
        for function in ast.walk(tree(path))
        if isinstance(function, Function)
        for number, what, limit in (
            (_lines(function), "lines", 40),
            (_positional(function), "positional parameters", 4),
            (max((_depth(child) for child in function.body), default=0), "levels", 3),
        )
        if number > limit
    ]
    assert not found, "\n".join(found)


def _lines(function: Function) -> int:
    first = function.body[0]
    docstring = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(function) else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def _positional(function: Function) -> int:
    given = [*function.args.posonlyargs, *function.args.args]
    return len([one for one in given if one.arg not in {"self", "cls"}])


def _depth(node: ast.AST) -> int:
    """Return how many blocks stand inside each other; `elif` stands beside its `if`, and a function begins anew."""
    if isinstance(node, Function | ast.Lambda | ast.ClassDef):
        return 0
    inside = max((_depth(child) for child in ast.iter_child_nodes(node) if not _is_elif(node, child)), default=0)
    beside = max((_depth(child) for child in ast.iter_child_nodes(node) if _is_elif(node, child)), default=0)
    return max(inside + isinstance(node, BLOCKS), beside)


def _is_elif(node: ast.AST, child: ast.AST) -> bool:
    return isinstance(node, ast.If) and node.orelse == [child] and isinstance(child, ast.If)


def test_everything_public_has_a_docstring() -> None:
    """Modules, classes and functions say what they promise; a test says the behaviour."""
    silent = [short(path) for path in EVERYTHING if not ast.get_docstring(tree(path))]
    for path in EVERYTHING:
        top = tree(path).body
        members = [one for node in top if isinstance(node, ast.ClassDef) for one in node.body]
        silent += [f"{short(path)}: {node.name}" for node in [*top, *members] if _is_silent(node)]
    assert not silent, "\n".join(silent)


def _is_silent(node: ast.stmt) -> TypeGuard[Function | ast.ClassDef]:
    if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
        return False
    return not ast.get_docstring(node) and not _is_protocol_field(node)


def _is_protocol_field(node: ast.AST) -> bool:
    """Return whether a member consists of its name and type alone."""
    return isinstance(node, Function) and [ast.unparse(one) for one in node.body] == ["..."]


def test_a_name_says_what_is_inside() -> None:
    """No module is called by a word that means anything; `demo/service.py` is the service of the demo."""
    assert [short(path) for path in PRODUCT + TESTS if {path.stem, path.parent.name} & VAGUE] == []


def test_tests_use_the_real_thing() -> None:
    """At most one mock or patch in ten tests."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in TESTS if path.name != Path(__file__).name)
    uses = re.findall(r"\b(?:MagicMock|Mock|patch|monkeypatch\.setattr)\(", text)
    tests = re.findall(r"^\s*(?:async )?def test_", text, re.MULTILINE)
    assert len(uses) * 10 <= len(tests)
