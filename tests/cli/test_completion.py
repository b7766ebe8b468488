"""Shells complete the command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from changewindow.cli.main import SHELLS, main
from support.tickets import TESTS

COMPLETE = """
source "$1"
COMP_LINE=$2 COMP_POINT=${#2} COMP_TYPE=9 COMP_WORDS=($2) COMP_CWORD=1
_python_argcomplete changewindow
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return the completion for bash, in a file."""
    assert main(["completion", "bash"]) == 0
    path = tmp_path / "completion.bash"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    return path


@pytest.mark.parametrize("shell", SHELLS)
def test_the_completion_names_the_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In every shell it can be had for."""
    assert main(["completion", shell]) == 0
    assert "changewindow" in capsys.readouterr().out


def test_bash_reads_it(script: Path) -> None:
    """It is valid bash."""
    subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.parametrize(
    ("line", "completions"),
    [
        ("changewindow ca", ["calendar"]),
        ("changewindow ver", ["verify"]),
        ("changewindow lint --js", ["--json"]),
        ("changewindow calendar next --ty", ["--type"]),
    ],
)
def test_bash_completes_commands_and_options(script: Path, tmp_path: Path, line: str, completions: list[str]) -> None:
    """As somebody does who presses Tab."""
    command = tmp_path / "changewindow"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m changewindow "$@"\n')
    command.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(TESTS.parent / "include"),
    }
    asked = subprocess.run(
        ["bash", "-c", COMPLETE, "bash", script, line], env=environment, capture_output=True, text=True, check=True
    )
    assert [completion.strip() for completion in asked.stdout.splitlines()] == completions
