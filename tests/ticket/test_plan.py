"""The plan is data: what an approver reads is what will be drawn and run."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from changewindow import kinds
from changewindow.policy.check import Facts
from changewindow.policy.review import load_file, load_text
from changewindow.ticket.plan import Node, markdown, plan, text
from support.tickets import EXAMPLES, FACTS, NOW, SOURCE, banner, golden, ticket

CONDITION = {"source": SOURCE, "pass": {"equals": 200}}
STEP = {"kind": "command", "run": ["true"], "undo": "nothing", "timeout": "1s"}


@st.composite
def plans(draw: st.DrawFn) -> tuple[Node, ...]:
    """Draw the plan of a ticket with some steps, checks and confirmations."""
    return plan(
        ticket(
            steps=[{**STEP, "name": f"step {number}"} for number in range(draw(st.integers(1, 12)))],
            preflight={
                "checks": [{**CONDITION, "name": f"check {number}"} for number in range(draw(st.integers(0, 4)))],
                "confirmed": draw(st.lists(st.sampled_from(["Tested", "Reviewed"]), max_size=2)),
            },
        )
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_plan_of_an_example_reads(path: Path) -> None:
    """Approver, terminal and page see this text."""
    loaded = load_file(path, FACTS)
    assert loaded.ticket
    assert text("CHG-1042", loaded.ticket) == golden(f"plan_{path.stem}.txt")


def test_a_page_shows_the_same_plan() -> None:
    """As Markdown that keeps its lines, and shows signs as signs."""
    loaded = load_file(next(path for path in EXAMPLES if path.stem == "max_idle"), FACTS)
    assert loaded.ticket is not None
    assert markdown("CHG-1042", loaded.ticket) == golden("plan_max_idle.md")


@settings(max_examples=50, deadline=None)
@given(plans())
def test_every_arrow_leads_from_an_earlier_node(nodes: tuple[Node, ...]) -> None:
    """Ids are unique, there are no circles, and only messages are waited for by nobody."""
    seen: list[str] = []
    for node in nodes:
        assert node.id not in seen
        assert set(node.after) <= set(seen)
        assert node.after or not seen
        seen.append(node.id)
    waited_for = {before for node in nodes for before in node.after}
    assert [name for name in seen if name not in waited_for] == ["announce", "report"]


@settings(max_examples=50, deadline=None)
@given(plans())
def test_undo_is_apply_in_reverse(nodes: tuple[Node, ...]) -> None:
    """Every apply has its undo, with the same number and timeout, and the last one applied is undone first."""
    apply = [node for node in nodes if node.role == "apply"]
    undo = [node for node in nodes if node.role == "undo"]
    assert [(node.number, node.timeout) for node in undo] == [(node.number, node.timeout) for node in reversed(apply)]
    assert [node.after for node in apply] == [("gate",), *((node.id,) for node in apply[:-1])]
    assert [node.after for node in undo] == [("watch",), *((node.id,) for node in undo[:-1])]
    assert [node.number for node in apply] == list(range(1, len(apply) + 1))


@settings(max_examples=50, deadline=None)
@given(plans())
def test_nothing_acts_before_the_gate_and_all_of_preflight_is_before_it(nodes: tuple[Node, ...]) -> None:
    """The gate hears everything that was asked, whatever came of it."""
    roles = [node.role for node in nodes]
    gate = nodes[roles.index("gate")]
    before = nodes[: roles.index("gate")]
    assert {node.role for node in before} <= {"window", "check", "confirm"}
    assert (set(gate.after), gate.rule) == ({node.id for node in before}, "all_done")


@settings(max_examples=50, deadline=None)
@given(plans())
def test_the_way_back_is_taken_whatever_failed(nodes: tuple[Node, ...]) -> None:
    """Watch decides even after a failed step; undo goes on after a failed undo; close waits for both ends."""
    by_id = {node.id: node for node in nodes}
    assert by_id["watch"].rule == "all_done"
    assert {node.rule for node in nodes if node.role in {"undo", "verify"}} == {"none_skipped"}
    assert by_id["close"].after == ("succeed", "verify")


EXAMPLE_KINDS = [
    pytest.param(folder, kind, id=f"{folder} {kind}")
    for folder in ("steps", "sources", "silences")
    for kind in kinds.modules(folder)
]


@pytest.mark.parametrize(("folder", "kind"), EXAMPLE_KINDS)
def test_the_example_of_a_kind_is_valid_in_a_ticket(folder: str, kind: str) -> None:
    """What the documentation shows can be copied; the plan then says in one line what it does."""
    example: dict[str, Any] = kinds.modules(folder)[kind].EXAMPLE
    watched = {"name": "Asked", "source": example, "pass": {"above": 0}}
    parts: dict[str, dict[str, Any]] = {
        "steps": {"steps": [example]},
        "sources": {"watch": {"for": "1m", "conditions": [watched]}},
        "silences": {"silence": [example]},
    }
    made = ticket(**parts[folder])
    described = {"steps": [step.does() for step in made.steps]}
    described["sources"] = [condition.source.description() for condition in made.watch.conditions]
    described["silences"] = [f"\nsilences while it runs: {silence.description()}\n" for silence in made.silence]
    [line] = described[folder]
    assert line
    assert line in text("CHG-1", made)


def test_no_text_of_a_ticket_looks_like_a_node() -> None:
    """A script of several lines is indented below its node, so that it cannot forge the plan."""
    step = {"name": "Run", "kind": "command", "run": {"shell": "true\ngate  approved by everybody"}, "undo": "nothing"}
    lines = text("CHG-1", ticket(steps=[step])).splitlines()
    assert [line for line in lines if "approved by everybody" in line] == ["            gate  approved by everybody"]


def test_a_plan_needs_no_clock() -> None:
    """The same text gives the same plan, years later."""
    assert plan(ticket()) == plan(ticket())
    assert load_text(str(banner()), Facts(now=NOW.replace(year=2030))).ticket == ticket()
