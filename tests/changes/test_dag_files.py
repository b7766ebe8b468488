"""For each published file Airflow gets one file of fixed code; what is published is never executed."""

import ast
from pathlib import Path

import pytest

from changewindow.changes.dag_files import MOST_FOREIGN, DagFiles, dag_file
from changewindow.changes.publication import publish
from changewindow.errors import PlatformError
from changewindow.ledger.seal import Seal
from support.tickets import BANNER, banner

SEAL = Seal()


@pytest.fixture
def files(tmp_path: Path) -> DagFiles:
    """Return the DAG files of an empty folder of published changes."""
    return DagFiles(tmp_path / "changes", tmp_path / "own", SEAL)


def names(files: DagFiles) -> list[str]:
    """Return the names of the DAG files."""
    return sorted(path.name for path in files.own.iterdir())


def test_each_published_change_has_one(files: DagFiles) -> None:
    """It comes with it and goes with it; nothing is there before anybody has published."""
    files.bring_up_to_date()
    assert names(files) == []
    published = [publish(files.published, f"CHG-{number}", BANNER, SEAL) for number in (1, 2)]
    files.bring_up_to_date()
    assert names(files) == ["CHG-1.py", "CHG-2.py"]
    published[0].unlink()
    (files.own / "more.py").write_text("import os")
    files.bring_up_to_date()
    assert names(files) == ["CHG-2.py"]


def test_it_changes_only_when_what_is_published_does(files: DagFiles) -> None:
    """Airflow parses a file again when it is newer."""
    publish(files.published, "CHG-1", BANNER, SEAL)
    files.bring_up_to_date()
    written = (files.own / "CHG-1.py").stat().st_mtime_ns
    publish(files.published, "CHG-1", BANNER, SEAL)
    files.bring_up_to_date()
    assert (files.own / "CHG-1.py").stat().st_mtime_ns == written
    publish(files.published, "CHG-1", banner(summary="Another text."), SEAL)
    files.bring_up_to_date()
    assert (files.own / "CHG-1.py").stat().st_mtime_ns > written
    assert "Another text." in (files.own / "CHG-1.py").read_text()


def test_a_task_adds_what_is_missing_and_removes_nothing(files: DagFiles) -> None:
    """Another host's DAG processor may know more; the task reads the published file itself."""
    publish(files.published, "CHG-1", BANNER, SEAL)
    files.bring_up_to_date()
    publish(files.published, "CHG-2", BANNER, SEAL)
    (files.published / "CHG-1.json").unlink()
    files.add_missing()
    assert names(files) == ["CHG-1.py", "CHG-2.py"]


HOSTILE = [
    '"""\nimport os\nos.system("id")\n"""',
    "line\nbreaks\r\nof every\x0bkind\x0c\x1c\x1d\x1e\x85\u2028\u2029\x00import os",
    "\\\nimport os",
    "# -*- coding: utf-7 -*-",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_whatever_is_published_the_code_is_the_same(files: DagFiles, hostile: str) -> None:
    """The text below it is comments: what Airflow shows to people as the DAG's code."""
    code = dag_file(files.published / "CHG-1.json", SEAL)
    published = publish(files.published, "CHG-1", banner(details=hostile, **{hostile: [hostile]}), SEAL)
    files.bring_up_to_date()
    written = (files.own / "CHG-1.py").read_bytes()
    assert ast.dump(ast.parse(written)) == ast.dump(ast.parse(code))
    assert dag_file(published, SEAL).startswith(code)
    assert b'# {\n#   "' in written


def test_airflow_reads_the_file() -> None:
    """Airflow silently ignores a file that lacks one of two words."""
    assert {"airflow", "dag"} <= set(dag_file(Path("CHG-1.json"), SEAL).lower().split())


@pytest.mark.parametrize(
    "name", ["CHG-1.py", "notes.txt", "chg-1.json", "CHG-01.json", "a'b\"\\c.zip", "line\nbreak.py", b"\xff.py"]
)
def test_a_foreign_file_has_one_of_its_own(files: DagFiles, name: str | bytes) -> None:
    """Parsing it raises the sentence about this one; its name is nothing but a text in it."""
    publish(files.published, "CHG-1", BANNER, SEAL)
    foreign = name.decode(errors="surrogateescape") if isinstance(name, bytes) else name
    (files.published / foreign).write_text("import os")
    files.bring_up_to_date()
    (own,) = [path for path in files.own.iterdir() if path.name != "CHG-1.py"]
    tree = ast.parse(own.read_text())
    assert [type(node).__name__ for node in tree.body] == ["Expr", "ImportFrom", "Assign"]
    assert isinstance(tree.body[2], ast.Assign)
    assert isinstance(tree.body[2].value, ast.Call)
    assert ast.literal_eval(tree.body[2].value.args[0]) == foreign


def test_a_flood_of_foreign_files_is_no_flood_of_dag_files(files: DagFiles) -> None:
    """The first are named; changes are not among what is left out."""
    files.published.mkdir()
    for number in range(1000):
        (files.published / f"a{number}.py").write_text("import os")
    publish(files.published, "CHG-1", BANNER, SEAL)
    files.bring_up_to_date()
    assert len(names(files)) == MOST_FOREIGN + 1
    assert "CHG-1.py" in names(files)


def test_folders_and_hidden_files_may_lie_there(files: DagFiles) -> None:
    """Nothing reads them: byte-code of earlier versions, unfinished files, what file systems keep for themselves."""
    for folder in ("__pycache__", "lost+found"):
        (files.published / folder).mkdir(parents=True)
    (files.published / ".CHG-1.77.partial").write_text("{")
    files.bring_up_to_date()
    assert names(files) == []


def test_a_folder_that_others_may_write_is_not_executed(files: DagFiles, tmp_path: Path) -> None:
    """Nor one that is a link to somewhere else."""
    files.own.mkdir(mode=0o777)
    files.own.chmod(0o777)
    with pytest.raises(PlatformError, match="may be written by others"):
        files.add_missing()
    files.own.rmdir()
    files.own.symlink_to(tmp_path)
    with pytest.raises(PlatformError, match="may be written by others"):
        files.bring_up_to_date()
