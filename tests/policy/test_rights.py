"""Who may intervene, by policy."""

from pathlib import Path

import pytest
import yaml

from changewindow.policy.load import load_policy
from changewindow.policy.rights import DOES, FILE, Act, Intervention, Involved, May, Rights, act_of, objection
from demo.__main__ import POLICY
from support.layout import INCLUDE

GROUPS = {"sre": ("dora",), "leads": ("erik",)}
CHANGE = Involved("alice", owners=("leads",), approvers=("bob",))
STANDARD = Involved("alice", owners=("leads",), approvers=None)


def may(act: Act, person: str, involved: Involved = CHANGE, *, is_operator: bool = False) -> bool:
    """Return whether somebody may, where dora's group are operators."""
    wanted = Intervention(act, person, is_operator)
    return objection(Rights(operators=("sre",)), GROUPS, wanted, involved) is None


@pytest.mark.parametrize("act", ["abort", "stop", "extend"])
def test_what_is_safe_anybody_may_do(act: Act) -> None:
    """Whoever has no part in the change, too."""
    assert may(act, "eve")


@pytest.mark.parametrize("act", ["release", "lift"])
def test_what_lets_changes_act_again_operators_may_do(act: Act) -> None:
    """By the policy's list, or by their role in Airflow; an approver is none for it."""
    assert may(act, "dora")
    assert may(act, "Dora ")
    assert may(act, "frida", is_operator=True)
    assert not may(act, "bob")


@pytest.mark.parametrize(
    ("person", "acts"),
    [
        ("alice", {"cancel", "reslot"}),
        ("bob", {"cancel", "reslot", "rollback"}),
        ("erik", {"cancel", "reslot", "rollback"}),
        ("dora", {"cancel", "reslot", "rollback"}),
        ("eve", set()),
        ("", set()),
        ("unknown", set()),
    ],
    ids=["the requester", "an approver", "an owner", "an operator", "another user", "nobody", "a run of nobody"],
)
def test_the_people_of_a_change_may_do_more(person: str, acts: set[Act]) -> None:
    """As the shipped policy says."""
    assert {act for act in ("cancel", "reslot", "rollback") if may(act, person)} == acts


def test_where_anybody_approves_anybody_may_roll_back() -> None:
    """A standard change needs nobody, and some rules name nobody."""
    assert may("rollback", "eve", STANDARD)
    assert not may("release", "eve", STANDARD)


def test_a_refusal_says_who_may() -> None:
    """By word and name."""
    finding = objection(Rights(operators=("sre",)), GROUPS, Intervention("rollback", "eve", is_operator=False), CHANGE)
    assert finding is not None
    assert finding.reason == (
        "eve may not roll back a completed change: `rollback` in rights.yaml allows it to owners (erik), "
        "approvers (bob), operators (dora). Ask one of them. [rights]"
    )


def test_groups_and_persons_may_be_named() -> None:
    """Instead of a word; a group does not count for a word of the same name."""
    rights = Rights(may=May(release=("leads", "frida")))
    named = {"operators": ("mallory",), **GROUPS}
    for person, is_allowed in {"erik": True, "frida": True, "dora": False}.items():
        wanted = Intervention("release", person, is_operator=True)
        assert (objection(rights, named, wanted, CHANGE) is None) == is_allowed
    assert objection(Rights(), named, Intervention("lift", "mallory", is_operator=False), CHANGE) is not None


@pytest.mark.parametrize(
    ("dag", "params", "act"),
    [
        ("CHG-1", {"mode": "rollback"}, "rollback"),
        ("CHG-1", {"mode": "run"}, None),
        ("stop_the_line", {"action": "lift"}, "lift"),
        ("stop_the_line", {}, "stop"),
        ("release_target", {}, "release"),
        ("request_change", {}, None),
    ],
)
def test_which_intervention_a_run_is(dag: str, params: dict[str, str], act: Act | None) -> None:
    """By its DAG, and its parameters where the DAG does several things."""
    assert act_of(dag, params) == act


def test_a_policy_of_an_earlier_version_has_the_shipped_rights(tmp_path: Path) -> None:
    """The shipped file spells out what holds without one; in the demo everybody who approves is an operator."""
    shipped = INCLUDE / "policy"
    text = yaml.safe_load((shipped / FILE).read_text())
    assert set(text["may"]) == set(DOES) == set(May.model_fields)
    assert load_policy(shipped).rights == Rights()
    for path in shipped.glob("*"):
        if path.name != FILE:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    assert load_policy(tmp_path, INCLUDE / "templates").rights == Rights()
    assert load_policy(POLICY, INCLUDE / "templates").rights.operators == ("operators",)
