"""Values and limits are shown with their unit, and each reading is as loud in the log as what it says."""

import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.checks.conditions_name_their_service import check
from changewindow.ticket import plan
from changewindow.watch.condition import Condition
from changewindow.watch.reading import Reading, level_of
from support.tickets import FACTS, SOURCE, banner, ticket

AT = datetime(2031, 3, 18, tzinfo=UTC)


def condition(**fields: Any) -> Condition:
    """Return a condition as a ticket has it."""
    return Condition.model_validate({"name": "p99", "source": SOURCE, **fields})


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        pytest.param({"fail": {"above": 200}, "unit": "ms"}, "limit 200 ms", id="bad above"),
        pytest.param({"pass": {"below": 200}, "unit": "ms"}, "limit 200 ms", id="good below"),
        pytest.param({"pass": {"above": 99.9}, "unit": "%"}, "minimum 99.9%", id="good above"),
        pytest.param({"fail": {"below": 3}}, "minimum 3", id="bad below, without a unit"),
        pytest.param(
            {"pass": {"below": 1}, "fail": {"above": 2}, "unit": "s"},
            "good when below 1 s, bad when above 2 s",
            id="both",
        ),
        pytest.param({"pass": {"between": [1, 2]}, "unit": "req/s"}, "good when between 1 and 2 req/s", id="between"),
        pytest.param({"pass": {"equals": 200}}, "good when equals 200", id="a status"),
        pytest.param(
            {"fail": {"above": 1.5}, "unit": "ms", "compare": {"by": "ratio"}}, "limit 1.5", id="a ratio has no unit"
        ),
        pytest.param(
            {"fail": {"above": 50}, "unit": "ms", "compare": {"by": "difference"}}, "limit 50 ms", id="a difference has"
        ),
    ],
)
def test_a_limit_is_shown_with_its_unit(fields: dict[str, Any], limit: str) -> None:
    """As it stands beside a value."""
    assert condition(**fields).limit() == limit


def test_a_reading_is_its_value_with_its_limit() -> None:
    """In the log, and in the reason for a rollback."""
    reading = Reading("orders: p99", "fail", AT, value=348.0, detail="limit 200 ms", unit="ms")
    assert reading.line() == "FAIL orders: p99 = 348 ms, limit 200 ms"
    assert reading.account == "348 ms, limit 200 ms"
    assert reading.as_json()["unit"] == "ms"


def test_without_a_unit_a_plan_reads_as_it_always_did() -> None:
    """It is part of what was approved: another text would be another digest."""
    old = plan.text("", ticket(validation=[{"name": "p99", "source": SOURCE, "fail": {"above": 200}}]))
    assert "p99: bad when above 200 [status of GET /banner at shop]" in old
    new = {"name": "p99", "source": SOURCE, "fail": {"above": 200}, "unit": "ms", "service": "orders"}
    assert "orders: p99: bad when above 200 ms [" in plan.text("", ticket(validation=[new]))


def test_a_service_that_the_name_says_is_said_once() -> None:
    """`orders: orders p99` would be one too many."""
    assert condition(name="orders p99", service="orders", fail={"above": 1}).title == "orders p99"


@pytest.mark.parametrize(
    "fields", [{"pass": {"equals": "up"}}, {"pass": {"matches": "up"}}, {"pass": {"equals": True}}]
)
def test_a_unit_needs_numbers(fields: dict[str, Any]) -> None:
    """Text has none."""
    with pytest.raises(ValidationError, match="says what numbers count, and here no numbers are compared"):
        condition(**fields, unit="ms")


@pytest.mark.parametrize(
    ("verdict", "level"),
    [("pass", logging.INFO), ("fail", logging.ERROR), ("error", logging.WARNING), ("inconclusive", logging.WARNING)],
)
def test_what_is_bad_is_no_info(verdict: Any, level: int) -> None:
    """Whoever looks for errors finds them; a condition that is called FAIL is not one."""
    assert level_of(Reading("FAIL", verdict, AT, value=1.0).line()) == level


def test_several_services_and_a_condition_that_names_none() -> None:
    """It is warned of, once, with all of them; with `service:` it is well."""
    several = banner(services=["orders", "payments"])
    [finding] = check(ticket(**several), FACTS)
    assert finding.is_warning
    assert "'Banner is on', 'Banner is off'" in finding.sentence
    for entry in (several["validation"][0], several["rollback"]["verify"][0]):
        entry["service"] = "orders"
    assert check(ticket(**several), FACTS) == []
