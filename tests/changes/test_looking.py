"""What is looked at before a change is approved: nothing of the ticket's choosing runs for it."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from changewindow import kinds
from changewindow.changes.looking import Look
from changewindow.errors import UnknownConnection
from changewindow.kinds import UNDECLARED
from changewindow.policy.connections import Connections, Served
from changewindow.sources.base import SourceBase
from changewindow.steps.base import StepBase
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from changewindow.ticket.named_connections import named_connections
from support.ask_source import asked
from support.started_programs import started_programs
from support.tickets import ticket

STEPS, SOURCES = kinds.modules("steps"), kinds.modules("sources")
WAITS = "not tried before approval"


def nobody(name: str) -> Connection:
    """Know no connection."""
    raise UnknownConnection(name)


def look(allowed: Connections | None = None, **changed: Any) -> Look:
    """Return a look at the ticket with some fields changed; by default every connection serves it."""
    asked = ticket(**changed)
    every = {use.name: Served(services=("all",), environments=("all",)) for use in named_connections(asked)}
    return Look("CHG-1042", asked, allowed or Connections(connections=every))


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
            lines = list(look(steps=[STEPS[kind].EXAMPLE]).at_steps(nobody, str))
        assert len(lines) == 2
        assert WAITS in lines[1]
        assert started == []
        return
    with importlib.import_module(f"step_fixtures.{kind}").world(tmp_path) as world:
        before, asked_for = world.state(), set[str]()

        def known(name: str) -> Connection:
            asked_for.add(name)
            return world.connection(name)

        looked = look(steps=[world.step])
        with started_programs() as started:
            lines = list(looked.at_steps(known, str))
        assert started == []
        assert asked_for <= {use.name for use in named_connections(looked.ticket)}
        assert WAITS not in "\n".join(lines)
        assert "cannot be tried" not in "\n".join(lines)
        assert world.state() == before


@pytest.mark.parametrize("kind", SOURCES)
async def test_no_source_starts_a_program_before_approval(kind: str, tmp_path: Path) -> None:
    """Where its example finds an answer, asking a source starts nothing; or it waits, and the approver reads why."""
    if not reads(SOURCES[kind], "Source"):
        conditions, lines = look(validation=[condition(SOURCES[kind].EXAMPLE)]).askable()
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
    conditions, lines = look(validation=[wanted], preflight={"checks": [wanted]}).askable()
    assert conditions == ()
    assert lines == ["the look: not tried before approval: it would start the ticket's program"]


def test_the_control_group_of_a_condition_is_not_run_either() -> None:
    """A harmless source does not bring a program along as what it is compared with."""
    control = {"by": "difference", "control": {"kind": "command", "run": ["true"], "read": "exit_code"}}
    source = {"kind": "tcp", "host": "localhost", "port": 1, "read": "latency"}
    wanted = condition(source, compare=control)
    wanted["pass"] = {"below": 1}
    conditions, lines = look(validation=[wanted]).askable()
    assert conditions == ()
    assert "the ticket's program" in lines[0]


def test_a_pushed_env_py_is_not_run_before_approval(tmp_path: Path) -> None:
    """Migrations are code of whoever may push; the approver's dry run does not execute them."""
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = .\n")
    (tmp_path / "env.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    step = {**STEPS["alembic"].EXAMPLE, "migrations": {"folder": str(tmp_path)}}
    lines = list(look(steps=[step]).at_steps(nobody, str))
    assert "it would run the env.py" in lines[1].replace("\\", "")
    assert not (tmp_path / "ran").exists()


def test_the_audit_sees_a_program_that_a_step_would_start() -> None:
    """The proof above would notice: asked all the same, the kind `command` starts a program."""
    step = ticket(steps=[{**STEPS["command"].EXAMPLE, "run": [sys.executable, "--version"]}]).steps[0]
    with started_programs() as started:
        step.missing_prerequisites(Context("CHG-1042", 1, nobody, str, dry_run=True))
    assert len(started) >= 1


@pytest.mark.parametrize(
    ("allowed", "why"),
    [
        pytest.param(
            Connections(connections={"example_service": Served(services=("orders",), environments=("staging",))}),
            "serves orders in staging, not orders in production",
            id="production's ticket names staging's",
        ),
        pytest.param(Connections(unlisted="warn", connections={}), "is not listed", id="nobody has listed it"),
        pytest.param(None, "nothing says whom connection", id="nothing is listed at all"),
    ],
)
def test_what_the_policy_does_not_list_is_not_asked_with_before_approval(allowed: Connections | None, why: str) -> None:
    """Not even where the policy only warns of it: no password is used for a text that nobody has read."""
    asked = ticket(steps=[STEPS["http_call"].EXAMPLE], validation=[condition(SOURCES["http"].EXAMPLE)])
    unasked = Look("CHG-1042", asked, allowed)
    conditions, lines = unasked.askable()
    lines += list(unasked.at_steps(nobody, str))
    assert conditions == ()
    assert [why in line for line in lines if WAITS in line] == [True, True]


def test_what_has_no_baseline_yet_is_no_error_for_the_approver() -> None:
    """It is read when the window opens."""
    compared = {**condition(SOURCES["http"].EXAMPLE), "compare": {"by": "ratio"}, "pass": {"below": 2}}
    conditions, lines = look(validation=[compared]).askable()
    assert conditions == ()
    assert lines[0].endswith("not tried before approval: what it is compared with is read when the window opens")


def test_the_approver_reads_which_connections_are_used_where_they_lead_and_whom_they_serve() -> None:
    """The password, and an account in the address, are not among it."""
    asked = look(steps=[STEPS["http_call"].EXAMPLE], validation=[condition(SOURCES["http"].EXAMPLE)])
    known = Connection("example_service", "http", host="https://shop.example.com", login="robot", password="canary")
    shop = {"shop": "connection 'shop'"}
    text = "\n".join(asked.at_connections(lambda name: known if name not in shop else nobody(name)))
    assert "example\\_service (http shop.example.com:443): serves all services in all environments" in text
    assert "for http, http\\_call" in text
    assert "canary" not in text
    assert "There is no Airflow Connection 'shop'" in text
