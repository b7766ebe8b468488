"""The step alembic: where its configuration lies, files of one revision, and a downgrade that leaves something."""

from pathlib import Path

import pytest

from changewindow.errors import StepFailed
from changewindow.steps.alembic import Step
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from step_fixtures.alembic import SECOND, alembic, at_first, migration, project
from support.warm_python import warm_python

TOML = '[tool.alembic]\nscript_location = "%(here)s/migrations"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two migrations."""
    return project(tmp_path / "db")


@pytest.fixture
def orders(tmp_path: Path) -> Connection:
    """Return a database that is at the first of them."""
    known = Connection("orders", "sqlite", str(tmp_path / "orders.db"))
    at_first(known)
    return known


def step(folder: Path) -> Step:
    """Return a step that upgrades to the newest revision."""
    given = {"name": "up", "connection": "orders", "migrations": {"folder": str(folder)}}
    return Step.model_validate({**given, "python": warm_python()})


@pytest.mark.parametrize(
    ("ini", "toml"),
    [
        pytest.param("", TOML, id="in pyproject.toml alone"),
        pytest.param("[loggers]\nkeys = root\n", TOML, id="beside an alembic.ini without a section [alembic]"),
        pytest.param("[alembic]\n", TOML, id="beside an empty section"),
        pytest.param("[alembic]\nscript_location = %(here)s/migrations\n", "[tool.ruff]\n", id="in alembic.ini"),
    ],
)
def test_where_alembic_finds_its_configuration(folder: Path, orders: Connection, ini: str, toml: str) -> None:
    """The step finds it there too, forth and back."""
    (folder / "alembic.ini").unlink()
    if ini:
        (folder / "alembic.ini").write_text(ini)
    (folder / "pyproject.toml").write_text(toml)
    alembic(folder, orders, "upgrade", "head")
    alembic(folder, orders, "downgrade", "first")
    upgrade, context = step(folder), Context("CHG-1", 1, lambda _: orders, print)
    assert upgrade.missing_prerequisites(context) == []
    remembered = upgrade.remember(context)
    upgrade.apply(context, remembered)
    upgrade.undo(context, remembered)


def test_no_configuration_of_alembic(folder: Path, orders: Connection) -> None:
    """The folder is named."""
    (folder / "alembic.ini").unlink()
    context = Context("CHG-1", 1, lambda _: orders, print)
    with pytest.raises(StepFailed, match=r"There is no alembic\.ini in .*, nor a pyproject\.toml\. Correct"):
        step(folder).missing_prerequisites(context)


def test_several_files_of_one_revision(folder: Path, orders: Connection) -> None:
    """Alembic runs whichever it reads last."""
    copy = folder / "migrations" / "versions" / "copy_of_second.py"
    copy.write_text((folder / "migrations" / "versions" / "second.py").read_text())
    (missing,) = step(folder).missing_prerequisites(Context("CHG-1", 1, lambda _: orders, print))
    assert missing.endswith(
        "have several files of revision second, and only one of them would run. Keep the right one."
    )


def test_a_downgrade_that_leaves_something_calls_a_person(folder: Path, orders: Connection) -> None:
    """It ran to its end, and the revision is the one of before; what is left is named."""
    more = '\n    op.create_table("more", sa.Column("id", sa.Integer))'
    migration(folder, "second", "first", up=SECOND["up"] + more, down=SECOND["down"])
    upgrade, context = step(folder), Context("CHG-1", 1, lambda _: orders, print)
    remembered = upgrade.remember(context)
    upgrade.apply(context, remembered)
    for _ in range(2):
        with pytest.raises(StepFailed, match=r"is at first as before, but its tables .* \(left: more\): a migration"):
            upgrade.undo(context, remembered)
    old = {key: value for key, value in remembered.items() if key != "tables"} | {"shape": ""}
    upgrade.undo(context, old)
