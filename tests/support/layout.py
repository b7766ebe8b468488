"""The rooms of the code and the order of their floors; `make rooms` measures both from the imports.

A room is a folder below `include/changewindow`, with what lies in its own folders; beside them are the loose modules
`errors`, `settings` and `kinds`, and above them `dags`, `plugins` (the folder of a checkout, and the package's own) and
`demo`. A room imports only from floors below it.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"
LOOSE = {"__init__", "__main__", "errors", "settings", "kinds"}
"""The only modules that may lie in `include/changewindow` itself."""
FLOORS = (
    ("demo",),
    ("dags", "plugins", "__main__"),
    ("flow", "web", "cli"),
    ("changes",),
    ("ledger", "checks"),
    ("policy",),
    ("calendar",),
    ("ticket",),
    ("watch",),
    ("steps", "sources", "collectors", "notify", "silences", "markers"),
    ("systems", "kinds"),
    ("errors", "settings"),
    ("documents",),
)
"""From the top floor down."""
KINDS = ("steps", "sources", "checks", "notify", "collectors", "silences", "markers")
"""Rooms of kinds: one file each beside what the room shares."""


def files() -> list[Path]:
    """Return the files of the product and of its demo."""
    within = [*INCLUDE.glob("changewindow/**/*.py"), *INCLUDE.glob("demo/**/*.py")]
    return sorted([*within, *ROOT.glob("dags/*.py"), *ROOT.glob("plugins/*.py")])


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def dotted(path: Path) -> str:
    """Return the name under which a file is imported."""
    parts = path.relative_to(INCLUDE if INCLUDE in path.parents else ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> Mapping[str, Path]:
    """Return each file by the name of its module."""
    return {dotted(path): path for path in files()}


def room(module: str) -> str:
    """Return the room of a module: `steps` for `changewindow.steps.sql`; empty for the package itself."""
    top, *rest = module.split(".")
    return (rest[0] if rest else "") if top == "changewindow" else top


@cache
def imports(path: Path) -> frozenset[str]:
    """Return every module that a file imports, wherever the import stands, those for type checkers included."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.relative_to(ROOT)} imports relatively"
            names |= {f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


@dataclass(frozen=True)
class Arrow:
    """A module that imports another."""

    importer: str
    imported: str

    def __str__(self) -> str:
        """Return both."""
        return f"{self.importer} imports {self.imported}"


@cache
def arrows() -> tuple[Arrow, ...]:
    """Return each import of ours between two modules; that of a package's own module counts for the module."""
    known = modules()
    return tuple(
        Arrow(name, imported)
        for name, path in known.items()
        for imported in sorted(_most_precise(imports(path) & set(known)))
        if imported != name
    )


def _most_precise(names: set[str]) -> set[str]:
    """Leave out packages of which a module is imported."""
    return {name for name in names if not any(other.startswith(f"{name}.") for other in names)}


def floor(module: str) -> int:
    """Return the floor of a module's room, counted from the top.

    Raises:
        StopIteration: its room is on no floor.
    """
    return next(number for number, rooms in enumerate(FLOORS) if room(module) in rooms)


def upwards() -> list[str]:
    """Return each import from another room that is not on a floor below."""
    return [
        str(arrow)
        for arrow in arrows()
        if "" not in {room(arrow.importer), room(arrow.imported)}
        and room(arrow.importer) != room(arrow.imported)
        and floor(arrow.importer) >= floor(arrow.imported)
    ]


def circles() -> list[str]:
    """Return each circle of modules that import each other, as text."""
    reach = {name: {arrow.imported for arrow in arrows() if arrow.importer == name} for name in modules()}
    return sorted({" > ".join(circle) for name in reach for circle in _circles_of(name, reach)})


def _circles_of(start: str, reach: Mapping[str, set[str]]) -> Iterator[tuple[str, ...]]:
    """Walk from a module; yield each shortest way back to it, once for its first module by name."""
    ways = [(start,)]
    seen = {start}
    while ways:
        way = ways.pop(0)
        for following in sorted(reach[way[-1]]):
            if following == start and min(way) == start:
                yield (*way, start)
            elif following not in seen:
                seen.add(following)
                ways.append((*way, following))


def loose() -> list[str]:
    """Return the modules without a room."""
    return sorted(path.stem for path in (INCLUDE / "changewindow").glob("*.py") if path.stem not in LOOSE)


def rooms() -> list[str]:
    """Return the rooms that there are; the modules beside them are none."""
    return sorted({room(name) for name in modules()} - {"", *LOOSE})


def depth() -> int:
    """Return how many floors the imports between rooms really make."""
    below = {
        name: {room(arrow.imported) for arrow in arrows() if room(arrow.importer) == name} - {name, ""}
        for name in (*rooms(), *LOOSE)
    }

    def height(name: str, way: tuple[str, ...] = ()) -> int:
        return 1 + max((height(other, (*way, name)) for other in below[name] if other not in way), default=0)

    return max(height(name) for name in rooms())


def lengths() -> tuple[list[int], list[int]]:
    """Return how many lines each module of the product has, and each of its functions without its docstring."""
    product = [path for path in files() if INCLUDE / "demo" not in path.parents]
    functions = [
        node
        for path in product
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return [len(path.read_text(encoding="utf-8").splitlines()) for path in product], [*map(lines, functions)]


def lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines a function has without its docstring."""
    first = function.body[0]
    docstring = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(function) else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def main() -> None:
    """Print rooms, floors, imports upwards, circles, loose modules, and how long modules and functions are."""
    print(f"{len(rooms())} rooms: {', '.join(rooms())}")
    print(f"{depth()} floors")
    for what, problems in (("imports upwards", upwards()), ("circles", circles()), ("modules without a room", loose())):
        print(f"{len(problems)} {what}", *problems, sep="\n  ")
    print(f"{len(LOOSE)} modules beside the rooms: {', '.join(sorted(LOOSE))}")
    for what, counts in zip(("modules", "functions"), lengths(), strict=True):
        print(f"{len(counts)} {what}: median {median(counts):g} lines, longest {max(counts)}")


if __name__ == "__main__":
    main()
