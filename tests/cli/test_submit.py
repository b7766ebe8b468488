"""Asking for a change from the terminal."""

import io

import pytest

from changewindow.cli.main import main
from support.tickets import EXAMPLES


def test_without_a_password_and_a_terminal_there_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a pipeline whose secret is missing: it says where the password belongs."""
    monkeypatch.delenv("CHANGEWINDOW_PASSWORD", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main(["submit", str(EXAMPLES[0]), "--url", "http://127.0.0.1:9", "--user", "alice"]) == 1
    assert capsys.readouterr().err == (
        "No password for alice at http://127.0.0.1:9: put it into the environment as CHANGEWINDOW_PASSWORD; "
        "without a terminal nobody can be asked.\n"
    )
