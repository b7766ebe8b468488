"""The Friday rule that is delivered, and whether there is anybody to approve."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from changewindow.checks import approvers_exist, calendar_allows
from changewindow.policy.approvals import Approvals
from changewindow.policy.assessment import Assessment
from changewindow.policy.check import Facts
from changewindow.policy.conflicts import Other
from support.tickets import NOW, POLICY, banner, ticket

FACTS = Facts(now=NOW, policy=POLICY)
FRIDAY, THURSDAY = 21, 20


def on(day: int, start: str, end: str, zone: str = "UTC") -> dict[str, str]:
    """Return a window in the week of Friday, 2031-03-21."""
    return {"zone": zone, "start": f"2031-03-{day} {start}", "end": f"2031-03-{day} {end}"}


@pytest.mark.parametrize(
    ("window", "changed", "verdict"),
    [
        pytest.param(on(THURSDAY, "14:00", "15:00"), {}, "fine", id="a Thursday afternoon is fine"),
        pytest.param(on(FRIDAY, "14:00", "15:00"), {}, "refused", id="a Friday afternoon is refused"),
        pytest.param(on(FRIDAY, "09:00", "10:00"), {}, "warned", id="a Friday morning is warned of"),
        pytest.param(on(FRIDAY, "11:54", "13:00"), {}, "warned", id="a watch that ends at noon is warned of"),
        pytest.param(on(FRIDAY, "11:55", "13:00"), {}, "refused", id="a watch that ends after noon is refused"),
        pytest.param(on(22, "09:00", "10:00"), {}, "refused", id="on a Saturday nobody is there either"),
        pytest.param(on(23, "22:00", "23:00"), {}, "refused", id="nor on a Sunday night"),
        pytest.param(on(24, "00:00", "01:00"), {}, "fine", id="Monday begins at midnight"),
        pytest.param(on(22, "09:00", "10:00"), {"type": "standard"}, "fine", id="standard changes run at the weekend"),
        pytest.param(on(FRIDAY, "14:00", "15:00"), {"type": "emergency"}, "fine", id="an emergency skips the calendar"),
        pytest.param(on(FRIDAY, "14:00", "15:00"), {"type": "standard"}, "fine", id="the rule is for normal changes"),
        pytest.param(
            on(FRIDAY, "14:00", "15:00", "Pacific/Auckland"),
            {},
            "warned",
            id="it is still morning where the rule is at home",
        ),
    ],
)
def test_the_friday_rule_that_is_delivered(window: dict[str, str], changed: dict[str, Any], verdict: str) -> None:
    """No normal change whose watch ends after Friday noon; a warning in the morning."""
    findings = calendar_allows.check(ticket(window=window, **changed), FACTS)
    verdicts = {finding.is_warning for finding in findings}
    assert {frozenset(): "fine", frozenset({True}): "warned"}.get(frozenset(verdicts), "refused") == verdict
    rule = "Weekend" if window["start"] >= "2031-03-22" else "Friday afternoon"
    assert all(rule in finding.sentence for finding in findings)


def test_the_gate_and_every_step_ask_the_same_question_of_now() -> None:
    """What is done already needs no time any more; a change that began in the morning may still take its last step."""
    assessment = Assessment(POLICY, ticket(window=on(FRIDAY, "09:00", "13:00")), banner())
    assert assessment.forbids(datetime(2031, 3, 21, 11, 54, tzinfo=UTC)) == []
    late = datetime(2031, 3, 21, 11, 56, tzinfo=UTC)
    assert "Friday afternoon" in assessment.forbids(late)[0].sentence
    assert assessment.forbids(late, done=timedelta(minutes=4)) == []


RULES = Approvals.model_validate(
    {
        "groups": {"leads": ["alice"]},
        "rules": [
            {"name": "standard", "when": {"types": ["standard"]}, "levels": []},
            {"name": "all", "levels": [{"name": "lead", "from": ["leads"]}]},
        ],
    }
)


@pytest.mark.parametrize(
    ("requester", "kind", "sentences"),
    [
        pytest.param("bob", "normal", [], id="somebody is left"),
        pytest.param("", "normal", [], id="without a requester nothing can be said"),
        pytest.param(
            "alice",
            "normal",
            ["level 'lead' needs 1, and besides alice there is nobody"],
            id="the only lead asks herself",
        ),
        pytest.param(
            "bob", "standard", ["this matches no standard change of the catalogue"], id="it only calls itself standard"
        ),
    ],
)
def test_there_is_somebody_to_approve(requester: str, kind: str, sentences: list[str]) -> None:
    """It is said when the change is asked for, not when nobody answers."""
    facts = Facts(now=NOW, policy=replace(POLICY, approvals=RULES), requester=requester, data=banner(type=kind))
    findings = approvers_exist.check(ticket(type=kind), facts)
    assert [finding.sentence.split(", so")[0] for finding in findings] == sentences


@pytest.mark.parametrize(
    ("target", "rule", "sentence"),
    [
        pytest.param(
            "production/catalogue", "block", "production/orders needs production/catalogue", id="what it needs acts"
        ),
        pytest.param("production/catalogue", "warn", "", id="the policy only warns of that"),
        pytest.param("production/elsewhere", "block", "", id="something else acts"),
        pytest.param("production/orders", "block", "", id="of its own target the lease knows"),
    ],
)
def test_the_gate_asks_what_acts_now(target: str, rule: str, sentence: str) -> None:
    """Whatever the windows of the two say."""
    overlap = POLICY.catalogue.overlap.model_copy(update={"dependent": rule})
    policy = replace(POLICY, catalogue=POLICY.catalogue.model_copy(update={"overlap": overlap}))
    acting = Other("CHG-7", (target,), NOW, NOW + timedelta(hours=1), "erik", "frida", "running")
    findings = Assessment(policy, ticket(), banner(), "CHG-8").collides([acting])
    assert [sentence in finding.sentence for finding in findings] == ([True] if sentence else [])
