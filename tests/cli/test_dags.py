"""The DAG files are written into somebody's Airflow, and nothing of theirs is lost."""

import json
import re
from pathlib import Path

import pytest

from changewindow.cli.main import main
from changewindow.settings import read
from support.layout import ROOT

Capture = pytest.CaptureFixture[str]
DAGS = sorted((ROOT / "dags").glob("*.py"))


def contents(folder: Path) -> dict[str, str]:
    """Return the text of each file in a folder."""
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_it_writes_the_dag_files_and_prints_what_is_left_to_do(tmp_path: Path, capsys: Capture) -> None:
    """Each has both words without which Airflow ignores it."""
    folder = tmp_path / "dags"
    assert main(["dags", "install", str(folder)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"20 DAG files in {folder}, 20 written now.\n")
    for needed in ("changewindow ledger upgrade", "CHANGEWINDOW_POLICY"):
        assert needed in out
    settings = {name: json.loads(value) for name, value in re.findall(r"export (\w+)='(.*)'", out)}
    assert settings["AIRFLOW_CONN_CHANGEWINDOW_LEDGER"]["conn_type"] == "postgres"
    bundles = settings["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"]
    assert [(bundle["name"], bundle["kwargs"]) for bundle in bundles] == [
        ("dags-folder", {"path": str(folder)}),
        ("changes", {}),
    ]
    assert bundles[1]["classpath"] == "changewindow.flow.bundle.PublishedChanges"
    assert f"They lie in {read().published.absolute()} as data and are never executed" in out
    written = contents(folder)
    assert sorted(written) == [path.name for path in DAGS]
    for path in DAGS:
        first, _, text = written[path.name].partition("\n")
        assert first.startswith("# Written by `changewindow dags install`")
        assert text == path.read_text(encoding="utf-8")
        assert "airflow" in text.lower()
        assert "dag" in text.lower()


def test_it_may_be_run_again(tmp_path: Path, capsys: Capture) -> None:
    """Files of an earlier version are replaced, and so are copies made by hand that say the same."""
    assert main(["dags", "install", str(tmp_path)]) == 0
    written = contents(tmp_path)
    (tmp_path / DAGS[0].name).write_text(DAGS[0].read_text())
    mark = "# Written by `changewindow dags install`, which replaces it unless it was edited: "
    (tmp_path / DAGS[1].name).write_text(f"{mark}63322b3a3fe7698a\nOLD = True\n")
    capsys.readouterr()
    assert main(["dags", "install", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith(f"20 DAG files in {tmp_path}, 2 written now.\n")
    assert contents(tmp_path) == written


def test_what_others_wrote_or_edited_is_left_alone(tmp_path: Path, capsys: Capture) -> None:
    """Then nothing is written at all, and each such file is named."""
    assert main(["dags", "install", str(tmp_path)]) == 0
    theirs, edited, missing = (tmp_path / path.name for path in DAGS[:3])
    theirs.write_text("MINE = True\n")
    edited.write_text(f"{edited.read_text()}\nMINE = True\n")
    missing.unlink()
    before = contents(tmp_path)
    capsys.readouterr()
    assert main(["dags", "install", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    reason = "was not written by this command, or was edited since."
    last = "Nothing was written. Move what stands in the way, or choose another folder."
    assert (out, err) == ("", f"{theirs} {reason}\n{edited} {reason}\n{last}\n")
    assert contents(tmp_path) == before


def test_a_folder_that_is_none_is_reported(tmp_path: Path, capsys: Capture) -> None:
    """No traceback."""
    (tmp_path / "file").write_text("")
    assert main(["dags", "install", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.endswith("File exists. Choose a folder that can be written.\n")
