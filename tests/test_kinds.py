"""Kinds are found by the names of their files; a new one is one new file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

import changewindow
from changewindow import kinds
from changewindow.errors import BadKind

KIND = '''"""Paints it {0}.

More about {0}.
"""

from typing import Literal

from pydantic import BaseModel, Field

EXAMPLE = {{"kind": "{0}", "times": 2}}


class Step(BaseModel):
    kind: Literal["{1}"] = "{1}"
    times: int = Field(description="How often.")
    undo_it: bool = Field(default=True, alias="undo")
'''


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[str]:
    """Return a folder with two kinds, a base, and a file that is no kind at all."""
    name = f"folder_{tmp_path.name}"
    (tmp_path / name).mkdir()
    kinds_of = {kind: KIND.format(kind, kind) for kind in ("red", "blue")}
    for file, text in {"__init__": "", "base": "", **kinds_of}.items():
        (tmp_path / name / f"{file}.py").write_text(text)
    changewindow.__path__.append(str(tmp_path))
    yield name
    changewindow.__path__.remove(str(tmp_path))


def test_a_file_is_a_kind(folder: str) -> None:
    """Its name is what authors write; `base` holds the contract and is none."""
    assert list(kinds.modules(folder)) == ["blue", "red"]
    assert kinds.summary(folder, "red") == "Paints it red."


def test_the_kind_selects_the_model(folder: str) -> None:
    """A field of any kind takes each of them, and nothing else."""
    adapter: TypeAdapter[BaseModel] = TypeAdapter(Annotated[BaseModel, kinds.AnyKind(folder, "Step")])
    assert adapter.validate_python({"kind": "blue", "times": 1}).model_dump()["kind"] == "blue"
    for wrong in ({"kind": "green", "times": 1}, {"times": 1}, {"kind": "blue"}):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


def test_a_kind_describes_itself(folder: str) -> None:
    """Its docstring, its fields under the names that authors write, and its example."""
    assert kinds.describe(folder, "Step", "red").splitlines() == [
        f"{folder} red",
        "",
        "Paints it red.",
        "",
        "More about red.",
        "",
        "Fields:",
        "  times        needed    How often.",
        "  undo         optional  [by default true]",
        "",
        "Example:",
        "  kind: red",
        "  times: 2",
    ]


@pytest.mark.parametrize(
    ("folder", "kind", "line"),
    [
        ("sources", "http", "  path         optional  [by default /]"),
        ("sources", "tcp", "the seconds that took. [connects | latency; by default connects]"),
        ("sources", "staging", "like `connection` or `undo.path`. [by default connection]"),
        ("steps", "git_change", f"  {'replace.old':19} needed    The present text; it must occur exactly once."),
        ("steps", "sql", f"  {'lock_timeout':24} optional  How long a statement may wait for a lock. [by default 5s]"),
    ],
)
def test_the_fields_of_a_kind_say_what_may_be_written(folder: str, kind: str, line: str) -> None:
    """Their words, what holds without them, and what stands inside of them: nobody has to read the code."""
    lines = kinds.describe(folder, folder.removesuffix("s").title(), kind).splitlines()
    assert any(documented.endswith(line) for documented in lines)


def test_a_file_without_its_contract_is_refused(folder: str) -> None:
    """Whoever adds a kind reads what it lacks."""
    with pytest.raises(BadKind) as refused:
        kinds.contract(kinds.modules(folder)["red"], "Source")
    expected = f"changewindow.{folder}.red has no Source. Every kind needs it; see the recipe in CONTRIBUTING.md."
    assert str(refused.value) == expected


def test_a_kind_under_another_name_than_its_file_is_refused(folder: str, tmp_path: Path) -> None:
    """Whoever copies a kind to write a new one learns which line is still that of the other."""
    (tmp_path / folder / "green.py").write_text(KIND.format("green", "red"))
    with pytest.raises(BadKind) as refused:
        kinds.models(folder, "Step")
    assert str(refused.value) == (
        f'changewindow.{folder}.green has no field `kind: Literal["green"] = "green"` in its Step. '
        "Every kind needs it; see the recipe in CONTRIBUTING.md."
    )


@pytest.mark.parametrize(
    ("folder", "model"),
    [
        *(("steps", "Step"), ("sources", "Source"), ("collectors", "Collector")),
        *(("silences", "Silence"), ("markers", "Marker")),
    ],
)
def test_every_kind_writes_the_name_of_its_file(folder: str, model: str) -> None:
    """Its field `kind` takes this name alone, and has it without being told."""
    for kind, module in kinds.modules(folder).items():
        field = kinds.contract(module, model).model_fields["kind"]
        assert (field.annotation, field.default) == (Literal[kind], kind)


@pytest.mark.parametrize(
    ("name", "contract"),
    [
        *(("steps", "Step"), ("sources", "Source"), ("checks", "check"), ("collectors", "Collector")),
        *(("silences", "Silence"), ("markers", "Marker")),
    ],
)
def test_every_kind_keeps_its_contract(name: str, contract: str) -> None:
    """It says what it is responsible for, and defines what its folder asks of it."""
    for kind, module in kinds.modules(name).items():
        assert kinds.summary(name, kind).endswith(".")
        assert kinds.contract(module, contract)
        assert kinds.describe(name, contract, kind).startswith(f"{name} {kind}\n\n")
