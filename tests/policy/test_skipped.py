"""What an emergency skips is what the gate would say of it now, were it a normal change; nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from changewindow.errors import BadPolicy
from changewindow.policy.approvals import Approvals
from changewindow.policy.assessment import Assessment
from changewindow.policy.skipped import skipped
from changewindow.policy.standing import Assessed, Case, HeldTarget, Intent, LineStop, Standing
from support.tickets import POLICY, banner, ticket

NOW = datetime(2031, 3, 18, 14, 5, tzinfo=UTC)  # a Tuesday
STOP = LineStop("carol", "the network is rebuilt", NOW + timedelta(hours=1))


def case(assessed: Assessed | None = None, **changed: Any) -> Case:
    """Return the case of a ticket that was asked for just now."""
    asked, data = ticket(), banner()
    fields: dict[str, object] = {
        "status": "submitted",
        "requester": "alice",
        "run": None,
        "approvals": (),
        "digest": "d",
    }
    standing = Standing(**{**fields, **changed})  # type: ignore[arg-type]
    intent = Intent("", "d", asked.window.opens, asked.window.closes, asked.needs)
    return Case(standing, intent, assessed or Assessment(POLICY, asked, data), NOW)


@pytest.mark.parametrize(
    ("asked", "codes"),
    [
        pytest.param(case(), ["nobody_approved"], id="in its window, nobody has approved it"),
        pytest.param(case(stops=(STOP,)), ["nobody_approved", "line_stopped"], id="the line is stopped"),
        pytest.param(
            case(held=(HeldTarget("production/orders", "CHG-7"),)),
            ["nobody_approved"],
            id="a held target is not skipped",
        ),
        pytest.param(case(altered=("its row differs",)), ["nobody_approved"], id="an altered record is none"),
        pytest.param(
            case(BadPolicy(["approvals.yaml:1: ?"])),
            ["policy_unreadable", "approvers_unknown"],
            id="nobody knows who approves while the policy cannot be read",
        ),
    ],
)
def test_what_is_skipped_is_what_the_gate_says(asked: Case, codes: list[str]) -> None:
    """Each finding of the gate but what stops an emergency too."""
    assert [skip.code for skip in skipped(asked)] == codes


def test_the_window_of_the_ticket_counts_for_a_normal_change() -> None:
    """A ticket of tomorrow that is declared today skips the waiting, which is named."""
    early = replace(case(), now=NOW - timedelta(days=1))
    assert [skip.code for skip in skipped(early)][:2] == ["nobody_approved", "too_early"]


def test_everybody_who_might_have_approved_it_is_named() -> None:
    """Of each level, and never who asked for it."""
    levels = [{"name": "peer", "from": ["peers"]}, {"name": "lead", "from": ["carol"]}]
    groups = {"peers": ["alice", "bob"], "leads": ["carol"]}
    approvals = Approvals.model_validate({"groups": groups, "rules": [{"name": "all", "levels": levels}]})
    (skip,) = skipped(case(Assessment(replace(POLICY, approvals=approvals), ticket(), banner())))
    assert skip.people == ("bob", "carol")
