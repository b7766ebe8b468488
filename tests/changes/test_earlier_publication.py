"""What earlier versions published as Python goes on as data, if it is exactly what was approved; else it is left."""

import json
from pathlib import Path
from typing import Any

import pytest

from changewindow.changes.earlier_publication import replace_earlier, source
from changewindow.changes.publication import read
from changewindow.cli.main import main
from changewindow.ledger.database import Ledger
from support.changes import approved

KEPT = Path(__file__).parents[1] / "flow" / "version_0_1_0" / "CHG-1042.py.txt"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of published changes."""
    return tmp_path / "changes"


@pytest.fixture
def change(ledger: Ledger, ticket_data: dict[str, Any], folder: Path) -> str:
    """Return an approved change that an earlier version has published."""
    identity = approved(ledger, ticket_data).change
    folder.mkdir()
    (folder / f"{identity}.py").write_text(source(identity, ticket_data), encoding="utf-8")
    return identity


def test_the_form_of_version_0_1_0_is_known_to_the_byte() -> None:
    """The text was written by version 0.1.0 itself."""
    text = KEPT.read_text(encoding="utf-8")
    scope: dict[str, Any] = {}
    exec(text.split("dag = ")[0].replace("from changewindow.flow.dag import build_dag", ""), scope)  # noqa: S102  ours
    assert source("CHG-1042", json.loads(scope["REVISION"])) == text


def test_an_approved_change_goes_on_as_data(
    ledger: Ledger, change: str, ticket_data: dict[str, Any], folder: Path
) -> None:
    """Its earlier file is gone, once Airflow reads data."""
    assert replace_earlier(ledger, folder, keep=True) == [change]
    assert sorted(path.name for path in folder.iterdir()) == [f"{change}.json", f"{change}.py"]
    assert replace_earlier(ledger, folder) == [change]
    assert [path.name for path in folder.iterdir()] == [f"{change}.json"]
    assert read(folder / f"{change}.json", ledger.seal).data == ticket_data
    assert replace_earlier(ledger, folder) == []


def test_code_below_the_approved_text_is_left_to_people(ledger: Ledger, change: str, folder: Path) -> None:
    """Nothing is published from it, and nothing of it is executed."""
    path = folder / f"{change}.py"
    path.write_text(path.read_text() + "import os\n")
    assert replace_earlier(ledger, folder) == []
    assert [path.name for path in folder.iterdir()] == [f"{change}.py"]


def test_what_the_ledger_does_not_know_is_left_to_people(
    ledger: Ledger, change: str, ticket_data: dict[str, Any], folder: Path
) -> None:
    """Another text, another change, a link to the right bytes, a name that is no change's."""
    path = folder / f"{change}.py"
    (folder / "CHG-77.py").write_text(source("CHG-77", ticket_data))
    (folder / "CHG-x.py").write_text("")
    path.write_text(source(change, {**ticket_data, "details": "other"}))
    assert replace_earlier(ledger, folder) == []
    path.write_text(source(change, ticket_data))
    path.symlink_to(path.rename(folder / "elsewhere"))
    assert replace_earlier(ledger, folder) == []


def test_a_folder_into_which_nobody_has_published_is_no_mistake(ledger: Ledger, folder: Path) -> None:
    """There is nothing to replace."""
    assert replace_earlier(ledger, folder / "none") == []


def test_the_upgrade_of_the_ledger_upgrades_what_is_published(
    ledger: Ledger, change: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Airflow is told to read data: so the earlier file stays beside it until housekeeping runs."""
    monkeypatch.setenv("CHANGEWINDOW_PUBLISHED", str(folder))
    assert main(["ledger", "upgrade", "--ledger", ledger.url.render_as_string(hide_password=False)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == [f"{change}.json", f"{change}.py"]
