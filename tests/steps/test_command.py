"""The step command."""

from pathlib import Path
from typing import Any

import pytest

from changewindow.errors import StepFailed, UnusableConnection
from changewindow.steps.command import EXAMPLE, Step
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context


def step(**fields: Any) -> Step:
    """Return a step with a program that writes nothing."""
    return Step.model_validate({"name": "example", "run": ["true"], "undo": "nothing", **fields})


@pytest.fixture
def logged() -> list[str]:
    """Return what stands in the log."""
    return []


@pytest.fixture
def context(logged: list[str]) -> Context:
    """Return what a step may use; every connection has a password."""
    return Context("CHG-1", 1, lambda name: Connection(name, "generic", password=f"secret-of-{name}"), logged.append)


def test_no_shell_takes_part_unless_asked(context: Context, logged: list[str]) -> None:
    """A star is a star to a program, and a wildcard only to a shell."""
    step(run=["echo", "*", "$HOME"]).apply(context, {})
    assert "* $HOME" in logged
    step(run={"shell": "echo a | tr a b"}).apply(context, {})
    assert "b" in logged


def test_a_failing_program_fails_the_step(context: Context) -> None:
    """The message says what ended how."""
    with pytest.raises(StepFailed, match="'false' ended with exit code 1"):
        step(run=["false"]).apply(context, {})


def test_a_secret_reaches_the_program_only(context: Context, logged: list[str], tmp_path: Path) -> None:
    """It is an environment variable, and neither an argument nor a line of the log."""
    file = tmp_path / "seen"
    step(run={"shell": f"printenv TOKEN > {file}"}, secrets={"TOKEN": "vault"}).apply(context, {})
    assert file.read_text() == "secret-of-vault\n"
    assert not any("secret-of-vault" in line for line in logged)


def test_undo_runs_its_own_program_twice_without_harm(context: Context, tmp_path: Path) -> None:
    """What apply wrote is gone after undo, and undo again changes nothing."""
    file = str(tmp_path / "file")
    example = step(run=["touch", file], undo=["rm", "-f", file])
    example.apply(context, {})
    example.undo(context, {})
    example.undo(context, {})
    assert not Path(file).exists()


def test_the_example_as_it_is_written(context: Context) -> None:
    """It leaves its marker, and undo removes it, twice."""
    marker = Path(str(EXAMPLE["run"][1]))
    marker.unlink(missing_ok=True)
    example = Step.model_validate({key: value for key, value in EXAMPLE.items() if key != "kind"})
    example.apply(context, {})
    assert marker.exists()
    for _ in range(2):
        example.undo(context, {})
        assert not marker.exists()


def test_what_undo_needs_is_asked_at_the_gate(context: Context, tmp_path: Path) -> None:
    """Its program and the secrets, before anything is touched; what a shell will find is not known."""
    message = "which undo needs. Install it there, or write it as `shell:` if an earlier step brings it."
    assert step(undo=["frobnicate", "-x"]).missing_prerequisites(context) == [
        f"the worker has no program frobnicate, {message}"
    ]
    assert step(undo={"shell": "frobnicate -x"}).missing_prerequisites(context) == []
    program = tmp_path / "frobnicate"
    program.touch(mode=0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert step(undo=["frobnicate", "-x"], environment=path).missing_prerequisites(context) == []
    poor = Context("CHG-1", 1, lambda name: Connection(name, "generic"), context.log)
    with pytest.raises(UnusableConnection, match="'vault' has no password"):
        step(secrets={"TOKEN": "vault"}).missing_prerequisites(poor)
