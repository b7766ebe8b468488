"""Commands that name no policy go by that of the embedded default."""

import shutil
from pathlib import Path

import pytest

from changewindow.cli import embedded
from changewindow.cli.main import main
from support.calendars import POLICY
from support.tickets import EXAMPLES

Capture = pytest.CaptureFixture[str]
RELEASE = str(EXAMPLES[1])


@pytest.mark.parametrize("arguments", [["lint", RELEASE], ["plan", RELEASE], ["policy", "lint"], ["calendar", "lint"]])
def test_the_policy_of_the_demo_is_found(
    arguments: list[str], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is checked is what the running demo will judge, and which policy that was stands beside."""
    folder = shutil.copytree(POLICY, tmp_path / "policy")
    (tmp_path / "ledger.db").touch()
    monkeypatch.setattr(embedded, "DEMO", tmp_path)
    assert main(arguments) == 0
    assert capsys.readouterr().err.startswith(f"policy: {folder}\n")
    (folder / "calendar.yaml").write_text("[]")
    assert main(arguments) == 1
    assert f"{folder}/calendar.yaml:1: " in "".join(capsys.readouterr())
    for named in ("CHANGEWINDOW_POLICY", "AIRFLOW_CONN_CHANGEWINDOW_LEDGER"):
        monkeypatch.setenv(named, str(POLICY))
        assert main(arguments) == 0
