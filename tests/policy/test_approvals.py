"""Who must approve a change: rules, levels, and whose yes counts."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.cli.standalone import ROOT
from changewindow.documents.model_file import read_model
from changewindow.policy.approval_rules import next_approval
from changewindow.policy.approvals import Approvals, too_few
from changewindow.policy.sign_off import PendingApproval, RecordedApproval, RequiredApproval
from changewindow.policy.standing import Case, Intent, Standing
from support.changes import NOW
from support.tickets import ticket

GROUPS = {"operators": ["alice", "bob", "carol"], "leads": ["carol", "dora"], "team": ["erik"]}
LATER = NOW + timedelta(hours=1)


def approvals(*rules: dict[str, Any], **changed: Any) -> Approvals:
    """Return rules, with a last one for all other changes."""
    last = {"name": "all", "levels": [{"name": "peer", "from": ["operators"]}]}
    return Approvals.model_validate({"groups": GROUPS, "rules": [*rules, last], **changed})


HIGH = {"name": "high", "when": {"risks": ["high"]}, "levels": [{"name": "lead", "from": ["leads"]}]}
OURS = {"name": "ours", "when": {"owners": ["team"]}, "levels": [{"name": "owner", "from": ["owners"]}]}
STANDARD = {"name": "standard", "when": {"types": ["standard"]}, "levels": []}
STAGING = {
    "name": "staging",
    "when": {"environments": ["staging"], "risks": ["low"]},
    "levels": [{"name": "any", "from": ["anybody"]}],
}


@pytest.mark.parametrize(
    ("changed", "owners", "is_standard", "rule"),
    [
        pytest.param({}, (), False, "all", id="the last rule is for all other changes"),
        pytest.param({"risk": "high"}, (), False, "high", id="risk decides"),
        pytest.param({"risk": "high", "type": "standard"}, (), True, "high", id="the first rule that holds decides"),
        pytest.param({}, ("team",), False, "ours", id="the owner of the service decides"),
        pytest.param({"type": "standard"}, (), True, "standard", id="a standard change is pre-approved"),
        pytest.param({"type": "standard"}, (), False, "all", id="one that only calls itself standard is not"),
        pytest.param({"environment": "staging"}, (), False, "staging", id="environment and risk decide together"),
        pytest.param({"environment": "staging", "risk": "medium"}, (), False, "all", id="not one without the other"),
    ],
)
def test_a_rule_is_found(changed: dict[str, Any], owners: tuple[str, ...], *, is_standard: bool, rule: str) -> None:
    """By type, risk, environment and owner."""
    rules = approvals(HIGH, OURS, STANDARD, STAGING)
    assert rules.rule(ticket(**changed), owners, is_standard=is_standard).name == rule


def test_groups_and_owners_become_persons() -> None:
    """An owner may be a group; each person is asked once."""
    rules = approvals({"name": "x", "levels": [{"name": "l", "from": ["owners", "leads", "bob"]}]})
    needs = rules.needs(rules.rules[0], ("team", "dora"))
    assert needs == (RequiredApproval("l", 1, ("erik", "dora", "carol", "bob")),)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        pytest.param([{"name": "a", "levels": []}], "nobody would be asked", id="a rule without levels"),
        pytest.param(
            [{**STANDARD, "when": {"types": ["standard", "normal"]}}], "nobody would be asked", id="not only standard"
        ),
        pytest.param([HIGH], "no rule covers all other changes", id="no rule for the rest"),
        pytest.param(
            [{"name": "a", "levels": [{"name": "x", "from": ["oprators"]}]}],
            "Did you mean 'operators'",
            id="unknown group",
        ),
        pytest.param(
            [{"name": "a", "levels": [{"name": "x", "from": ["bob"]}, {"name": "x", "from": ["bob"]}]}],
            "two levels are called 'x'",
            id="two levels of one name",
        ),
    ],
)
def test_a_rule_that_cannot_hold_is_refused(rules: list[dict[str, Any]], message: str) -> None:
    """The file says so when it is read, not the approver at night."""
    with pytest.raises(ValidationError, match=message):
        Approvals.model_validate({"groups": GROUPS, "rules": rules})


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("include/**/approvals.yaml")), ids=lambda path: path.parent.parent.name
)
def test_the_files_that_are_shipped_can_be_read(path: Path) -> None:
    """Nobody begins with a broken policy."""
    assert read_model(path, Approvals).findings == ()


PEER, LEAD = (
    RequiredApproval("peer", 2, ("alice", "bob", "carol", "dora")),
    RequiredApproval("lead", 1, ("carol", "dora")),
)


def given(person: str, level: str = "peer", **changed: Any) -> RecordedApproval:
    """Return a yes that counts."""
    fields = {"digest": "d1", "is_yes": True, "expires_at": LATER, **changed}
    return RecordedApproval(person, level=level, **fields)


def lacking(
    *approvals: RecordedApproval, needs: tuple[RequiredApproval, ...] = (PEER, LEAD), requester: str = "alice"
) -> PendingApproval | None:
    """Return what is lacking for the text d1."""
    standing = Standing("submitted", requester, None, approvals)
    intent = Intent("", "d1", NOW, LATER, timedelta(0), approvals=needs)
    return next_approval(Case(standing, intent, None, NOW))


@pytest.mark.parametrize(
    ("approvals", "level", "still", "people"),
    [
        pytest.param([], "peer", 2, ("bob", "carol", "dora"), id="the requester is never asked"),
        pytest.param([given("bob")], "peer", 1, ("carol", "dora"), id="one person counts once"),
        pytest.param([given("bob"), given("BOB ")], "peer", 1, ("carol", "dora"), id="also when written otherwise"),
        pytest.param(
            [given("alice"), given("bob")], "peer", 1, ("carol", "dora"), id="the requester's yes counts nothing"
        ),
        pytest.param([given("carol", "lead"), given("bob")], "peer", 1, ("dora",), id="one level after the other"),
        pytest.param(
            [given("bob"), given("carol")], "lead", 1, ("dora",), id="who spoke for a peer is no lead as well"
        ),
        pytest.param([given("bob"), given("carol", expires_at=NOW)], "peer", 1, ("carol", "dora"), id="expired"),
        pytest.param([given("bob"), given("carol", digest="d0")], "peer", 1, ("carol", "dora"), id="another text"),
    ],
)
def test_what_is_asked_next(
    approvals: list[RecordedApproval], level: str, *, still: int, people: tuple[str, ...]
) -> None:
    """The next level, how many it lacks, and who may."""
    asked = lacking(*approvals)
    assert asked is not None
    assert (asked.required.level, asked.missing, asked.people) == (level, still, people)


def test_nothing_is_asked_when_all_levels_are_full() -> None:
    """Two peers and a lead."""
    assert lacking(given("bob"), given("carol"), given("dora", "lead")) is None
    assert lacking(needs=()) is None


def test_anybody_else_may_when_nobody_is_named() -> None:
    """Anybody but the requester and who has spoken."""
    asked = lacking(given("bob", "x"), needs=(RequiredApproval("x", 2),))
    assert asked is not None
    assert [asked.admits(person) for person in ("alice", "Bob", "zoe")] == [False, False, True]


def test_a_level_that_can_never_be_filled_is_found_when_it_is_asked() -> None:
    """The requester learns it with the other findings, not when nobody answers."""
    assert too_few((PEER, RequiredApproval("x", 1)), "alice") == []
    reasons = too_few((RequiredApproval("lead", 2, ("alice", "dora")),), "alice")
    assert reasons == ["level 'lead' needs 2, and besides alice there is dora"]
