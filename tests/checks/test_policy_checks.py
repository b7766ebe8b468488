"""Checks that ask the policy find everything wrong, and say what would make it right."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from changewindow.checks import known_service, no_overlap, risk_floor
from changewindow.documents.findings import Finding, Place
from changewindow.documents.text import dotted
from changewindow.policy.check import Facts
from changewindow.policy.conflicts import Other
from changewindow.policy.service_catalogue import Catalogue
from support.tickets import FACTS, NOW, POLICY, SOURCE, ticket

OPENS = datetime(2031, 3, 18, 14, tzinfo=UTC)
OTHER = Other("CHG-7", ("production/orders",), OPENS, OPENS + timedelta(hours=2), "carol", "dave", "approved")
SERVICES = {
    "orders": {"owners": ["team"], "environments": ["production", "staging"], "depends_on": ["payments"]},
    "payments": {"owners": ["team"], "environments": ["production"], "risk": "high"},
}
MERGE = {"name": "Merge max_idle 1", "kind": "git_change", "connection": "shop", "merge": "tune/max-idle-1"}
CALL = {"name": "Set the limit", "kind": "http_call", "connection": "shop", "path": "/limit", "undo": "nothing"}


def unexpected(sentence: str, remedy: str, place: Place, *, is_warning: bool = False) -> Finding:
    """Return a finding about a service, or its environment."""
    return Finding("known_service", sentence, remedy, place, is_warning=is_warning)


def knowing(*others: Other, change: str = "", **rules: Any) -> Facts:
    """Return facts with a catalogue of two services, some rules of it changed."""
    catalogue = Catalogue.model_validate({"services": SERVICES, **rules})
    return Facts(now=NOW, policy=replace(POLICY, catalogue=catalogue), others=others, change=change)


@pytest.mark.parametrize("check", [known_service.check, risk_floor.check, no_overlap.check])
def test_without_a_policy_nothing_is_said_of_it(check: Any) -> None:
    """What can be known of the ticket alone is asked elsewhere."""
    facts = replace(FACTS, others=(OTHER,))
    assert check(ticket(services=["unknown"], steps=[MERGE]), facts) == []


UNKNOWN = "'order' is not in the service catalogue"
ADD = "Correct it, or have it added to services.yaml."


@pytest.mark.parametrize(
    ("changed", "unlisted", "findings"),
    [
        pytest.param({}, "refuse", [], id="a service that is listed is fine"),
        pytest.param({"services": ["order"]}, "allow", [], id="one that is not may be allowed"),
        pytest.param(
            {"services": ["order"]},
            "warn",
            [unexpected(UNKNOWN, "Did you mean 'orders'?", ("services", 0), is_warning=True)],
            id="a slip is warned of",
        ),
        pytest.param(
            {"services": ["orders", "order", "warehouse"]},
            "refuse",
            [
                unexpected(UNKNOWN, "Did you mean 'orders'?", ("services", 1)),
                unexpected("'warehouse' is not in the service catalogue", ADD, ("services", 2)),
            ],
            id="each is refused, at its place",
        ),
        pytest.param(
            {"environment": "stagging"},
            "allow",
            [
                Finding(
                    "known_service", "orders does not run in 'stagging'", "Did you mean 'staging'?", ("environment",)
                )
            ],
            id="a service runs where the catalogue says",
        ),
        pytest.param(
            {"environment": "staging", "services": ["orders", "payments"]},
            "warn",
            [unexpected("payments does not run in 'staging'", "Allowed: production.", ("environment",))],
            id="each for itself",
        ),
    ],
)
def test_known_service(changed: dict[str, Any], unlisted: str, findings: list[Finding]) -> None:
    """The policy says whether a service that is not listed is refused; a wrong environment always is."""
    assert known_service.check(ticket(**changed), knowing(unlisted=unlisted)) == findings


@pytest.mark.parametrize(
    ("changed", "sentences"),
    [
        pytest.param({}, [], id="a command may be of low risk"),
        pytest.param({"steps": [MERGE], "risk": "medium"}, [], id="exactly the floor is enough"),
        pytest.param({"steps": [MERGE], "risk": "high"}, [], id="more is fine"),
        pytest.param(
            {"steps": [MERGE]},
            ["low is too low: a change of configuration ('Merge max_idle 1') is at least medium"],
            id="a change of configuration is never just a number",
        ),
        pytest.param(
            {"steps": [CALL]},
            ["low is too low: a change of configuration ('Set the limit') is at least medium"],
            id="whichever way it is changed",
        ),
        pytest.param(
            {"services": ["orders", "payments"], "risk": "medium"},
            ["medium is too low: service payments is at least high"],
            id="the most careful service decides",
        ),
    ],
)
def test_risk_floor(changed: dict[str, Any], sentences: list[str]) -> None:
    """The least risk is given with what requires it."""
    findings = risk_floor.check(ticket(**changed), knowing())
    assert [finding.sentence for finding in findings] == sentences
    assert [(finding.place, finding.is_warning) for finding in findings] == [(("risk",), False)] * len(sentences)


def test_the_risk_that_is_needed_can_be_copied() -> None:
    """The remedy is the line to write."""
    (finding,) = risk_floor.check(ticket(steps=[MERGE]), knowing(configuration="high"))
    assert finding.remedy == "Write `risk: high`."


WHEN = "2031-03-18 14:00-16:00 UTC"


@pytest.mark.parametrize(
    ("changed", "other", "expected"),
    [
        pytest.param(
            {},
            OTHER,
            [("window", f"CHG-7 touches production/orders too, {WHEN}", False)],
            id="two changes of one target are refused",
        ),
        pytest.param(
            {},
            replace(OTHER, targets=("production/payments",)),
            [
                (
                    "window",
                    f"CHG-7 touches production/payments, {WHEN}, and production/orders needs production/payments",
                    False,
                )
            ],
            id="so is one of what it needs",
        ),
        pytest.param(
            {},
            replace(OTHER, targets=(), owner="alice"),
            [("owner", f"alice takes part in CHG-7 too, {WHEN}", True)],
            id="an owner who is busy is warned of",
        ),
        pytest.param(
            {},
            replace(OTHER, targets=(), reviewer="Bob"),
            [("reviewer", f"bob takes part in CHG-7 too, {WHEN}", True)],
            id="a reviewer as well",
        ),
        pytest.param({}, replace(OTHER, opens=OPENS + timedelta(hours=1)), [], id="an hour later is another time"),
        pytest.param({}, replace(OTHER, change="CHG-9"), [], id="a change does not stand in its own way"),
        pytest.param(
            {"type": "emergency"},
            OTHER,
            [("window", f"CHG-7 touches production/orders too, {WHEN}", True)],
            id="an emergency goes first",
        ),
        pytest.param(
            {"type": "emergency"},
            replace(OTHER, status="running"),
            [("window", f"CHG-7 touches production/orders too, {WHEN}", False)],
            id="but not into a change that acts",
        ),
    ],
)
def test_no_overlap(changed: dict[str, Any], other: Other, expected: list[tuple[str, str, bool]]) -> None:
    """Other changes at the same time are named, as the policy wants it."""
    findings = no_overlap.check(ticket(**changed), knowing(other, change="CHG-9"))
    assert [(dotted(finding.place), finding.sentence, finding.is_warning) for finding in findings] == expected


def test_a_source_only_reads() -> None:
    """Conditions change nothing, so they raise no risk."""
    asked = ticket(preflight={"checks": [{"name": "Answers", "source": SOURCE, "pass": {"equals": 200}}]})
    assert risk_floor.check(asked, knowing()) == []
