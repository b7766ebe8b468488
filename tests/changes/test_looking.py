"""What is looked at before a change is approved: nothing of the ticket's choosing runs for it."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from changewindow import kinds
from changewindow.changes import looking
from changewindow.errors import UnknownConnection
from changewindow.kinds import UNDECLARED
from changewindow.sources.base import SourceBase
from changewindow.steps.base import StepBase
from changewindow.systems.connection import Connection
from support.ask_source import asked
from support.started_programs import started_programs
from support.tickets import ticket

STEPS, SOURCES = kinds.modules("steps"), kinds.modules("sources")
WAITS = "not tried before approval"


def nobody(name: str) -> Connection:
    """Know no connection."""
    raise UnknownConnection(name)


def condition(source: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a condition as a ticket gives it."""
    return {"name": "the look", "source": source, "pass": {"equals": 1}, **more}


def reads(module: ModuleType, model: str) -> bool:
    """Return whether a kind is asked before approval."""
    return not kinds.contract(module, model).why_not_before_approval


@pytest.mark.parametrize("kind", STEPS)
def test_no_step_starts_a_program_before_approval(kind: str, tmp_path: Path) -> None:
    """In its own world, where it would act for real, looking at a step starts nothing; or it waits, and says why."""
    if not reads(STEPS[kind], "Step"):
        with started_programs() as started:
            lines = list(looking.at_steps("CHG-1042", ticket(steps=[STEPS[kind].EXAMPLE]), nobody, str))
        assert len(lines) == 2
        assert WAITS in lines[1]
        assert started == []
        return
    with importlib.import_module(f"step_fixtures.{kind}").world(tmp_path) as world:
        before = world.state()
        with started_programs() as started:
            lines = list(looking.at_steps("CHG-1042", ticket(steps=[world.step]), world.connection, str))
        assert started == []
        assert WAITS not in "\n".join(lines)
        assert "cannot be tried" not in "\n".join(lines)
        assert world.state() == before


@pytest.mark.parametrize("kind", SOURCES)
async def test_no_source_starts_a_program_before_approval(kind: str, tmp_path: Path) -> None:
    """Where its example finds an answer, asking a source starts nothing; or it waits, and the approver reads why."""
    if not reads(SOURCES[kind], "Source"):
        conditions, lines = looking.askable(ticket(validation=[condition(SOURCES[kind].EXAMPLE)]))
        assert conditions == ()
        assert WAITS in lines[0]
        return
    with importlib.import_module(f"source_fixtures.{kind}").place(tmp_path) as place:
        kept: dict[str, Any] = {}
        with started_programs() as started:
            for _ in range(place.readings):
                question = asked(place.source, *place.connections, good=place.good, change=place.change, kept=kept)
                reading = await question
    assert reading.verdict == "pass"
    assert started == []


def test_a_kind_that_nobody_has_thought_of_waits_for_the_approval() -> None:
    """The contract's default fails closed, and every kind that there is has its own answer."""
    assert StepBase.why_not_before_approval == SourceBase.why_not_before_approval == UNDECLARED
    steps = [kinds.contract(module, "Step").why_not_before_approval for module in STEPS.values()]
    assert UNDECLARED not in steps + [kinds.contract(m, "Source").why_not_before_approval for m in SOURCES.values()]


def test_a_command_condition_is_not_run_before_approval(tmp_path: Path) -> None:
    """Its program would have been the requester's, in the worker's account."""
    wanted = condition({"kind": "command", "run": ["touch", str(tmp_path / "ran")], "read": "exit_code"})
    conditions, lines = looking.askable(ticket(validation=[wanted], preflight={"checks": [wanted]}))
    assert conditions == ()
    assert lines == ["the look: not tried before approval: it would start the ticket's program"]


def test_the_control_group_of_a_condition_is_not_run_either() -> None:
    """A harmless source does not bring a program along as what it is compared with."""
    control = {"by": "difference", "control": {"kind": "command", "run": ["true"], "read": "exit_code"}}
    source = {"kind": "tcp", "host": "localhost", "port": 1, "read": "latency"}
    wanted = condition(source, compare=control)
    wanted["pass"] = {"below": 1}
    conditions, lines = looking.askable(ticket(validation=[wanted]))
    assert conditions == ()
    assert "the ticket's program" in lines[0]


def test_a_pushed_env_py_is_not_run_before_approval(tmp_path: Path) -> None:
    """Migrations are code of whoever may push; the approver's dry run does not execute them."""
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = .\n")
    (tmp_path / "env.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    step = {**STEPS["alembic"].EXAMPLE, "migrations": {"folder": str(tmp_path)}}
    lines = list(looking.at_steps("CHG-1042", ticket(steps=[step]), nobody, str))
    assert "it would run the env.py" in lines[1].replace("\\", "")
    assert not (tmp_path / "ran").exists()


def test_the_audit_sees_a_program_that_a_step_would_start() -> None:
    """The proof above would notice: asked all the same, the kind `command` starts a program."""
    step = ticket(steps=[{**STEPS["command"].EXAMPLE, "run": [sys.executable, "--version"]}]).steps[0]
    with started_programs() as started:
        step.missing_prerequisites(looking.Context("CHG-1042", 1, nobody, str, dry_run=True))
    assert len(started) >= 1
