"""The source on_call: who is on call now, at servers that speak the APIs of PagerDuty and Opsgenie."""

from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.sources.on_call import EXAMPLE
from changewindow.watch.condition import Condition
from servers.product_apis import opsgenie, pagerduty, serving
from support.ask_source import asked

CAROL = {"id": "PCAROL1", "name": "Carol Danvers", "email": "carol@example.com"}
DAVE = {"id": "PDAVE22", "name": "Dave Bowman", "email": "dave@example.com"}
POLICY = {"id": "PPOLICY", "name": "orders"}


def at_pagerduty(*shift: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """Return what PagerDuty knows: two schedules, and a policy of two levels."""
    return {
        "schedules": [{"id": "PPRIMAR", "name": "orders primary"}, {"id": "PSECOND", "name": "orders primary, backup"}],
        "escalation_policies": [POLICY, {"id": "PEMPTY1", "name": "nobody"}],
        "shifts": [{**user, "schedule": "PPRIMAR"} for user in shift],
        "oncalls": [
            {"escalation_policy": POLICY, "escalation_level": level, "user": user, "schedule": None}
            for level, user in ((1, CAROL), (1, CAROL), (2, DAVE))
        ],
    }


def at_opsgenie(*now: str, enabled: bool = True) -> dict[str, list[dict[str, Any]]]:
    """Return what Opsgenie knows: one schedule."""
    users = [{"id": user["id"], "username": user["email"], "fullName": user["name"]} for user in (CAROL, DAVE)]
    return {
        "schedules": [{"id": "s-1", "name": "orders primary", "now": list(now), "enabled": enabled}],
        "users": users,
    }


async def who(desk: Any, **fields: Any) -> Any:
    """Return the reading of who is on call."""
    with serving(desk) as product:
        source = {"kind": "on_call", "connection": "desk", **fields}
        return await asked(source, product.connection(), good={"matches": ".*Carol.*|carol@.*"})


@pytest.mark.parametrize(
    ("desk", "fields", "value"),
    [
        pytest.param(pagerduty(at_pagerduty(CAROL)), {"schedule": "orders primary"}, "Carol Danvers", id="schedule"),
        pytest.param(pagerduty(at_pagerduty(CAROL)), {"schedule": "PPRIMAR"}, "Carol Danvers", id="schedule by its id"),
        pytest.param(
            pagerduty(at_pagerduty(DAVE, CAROL)), {"schedule": "PPRIMAR"}, "Carol Danvers, Dave Bowman", id="two"
        ),
        pytest.param(pagerduty(at_pagerduty()), {"escalation_policy": "orders"}, "Carol Danvers", id="policy"),
        pytest.param(
            pagerduty(at_pagerduty()), {"escalation_policy": "PPOLICY"}, "Carol Danvers", id="policy by its id"
        ),
        pytest.param(
            pagerduty(at_pagerduty(CAROL)), {"schedule": "PPRIMAR", "read": "email"}, "carol@example.com", id="e-mail"
        ),
        pytest.param(
            opsgenie(at_opsgenie("carol@example.com")), {"schedule": "orders primary"}, "Carol Danvers", id="opsgenie"
        ),
        pytest.param(
            opsgenie(at_opsgenie("carol@example.com")),
            {"schedule": "orders primary", "read": "email"},
            "carol@example.com",
            id="opsgenie e-mail",
        ),
    ],
)
async def test_who_is_on_call(desk: Any, fields: dict[str, Any], value: str) -> None:
    """A name or an address, that a condition can match."""
    reading = await who(desk, **fields)
    assert (reading.verdict, reading.value) == ("pass", value)


async def test_somebody_else_is_on_call() -> None:
    """The second level is not the first."""
    reading = await who(pagerduty(at_pagerduty()), escalation_policy="orders", level=2)
    assert (reading.verdict, reading.value) == ("fail", "Dave Bowman")


@pytest.mark.parametrize(
    ("desk", "fields", "cause", "message"),
    [
        pytest.param(
            pagerduty(at_pagerduty()),
            {"schedule": "orders primary"},
            "no_data",
            "nobody is on call by orders primary. Have somebody take the shift, then ask again.",
            id="a gap in the schedule",
        ),
        pytest.param(
            pagerduty(at_pagerduty()),
            {"escalation_policy": "nobody"},
            "no_data",
            "nobody is on call by nobody at level 1. Have somebody take the shift, then ask again.",
            id="an empty policy",
        ),
        pytest.param(
            pagerduty(at_pagerduty()),
            {"escalation_policy": "ordrs"},
            "invalid",
            "PagerDuty has no escalation policy with the name or id 'ordrs' that the token of 'desk' can see. "
            "Correct the ticket, or use a token that can.",
            id="a policy that does not exist",
        ),
        pytest.param(
            opsgenie(at_opsgenie()),
            {"schedule": "orders primary"},
            "no_data",
            "nobody is on call by orders primary. Have somebody take the shift, then ask again.",
            id="a gap in Opsgenie",
        ),
        pytest.param(
            opsgenie(at_opsgenie("carol@example.com", enabled=False)),
            {"schedule": "orders primary"},
            "no_data",
            "the schedule 'orders primary' is disabled: Opsgenie calls nobody by it. Enable it.",
            id="a schedule that is switched off",
        ),
        pytest.param(
            opsgenie(at_opsgenie()),
            {"schedule": "ordrs"},
            "invalid",
            "Opsgenie has no schedule 'ordrs' that the token of 'desk' can see. Correct the ticket, or give the token "
            "access; it must be the key of an API integration with the right to read, and to access configurations "
            "(Settings, API keys).",
            id="a schedule that does not exist",
        ),
        pytest.param(
            opsgenie(at_opsgenie()),
            {"escalation_policy": "orders"},
            "invalid",
            "Opsgenie says who is on call by schedule only. Write `schedule` instead of `escalation_policy`.",
            id="Opsgenie has no such question",
        ),
    ],
)
async def test_nobody_is_not_somebody(desk: Any, fields: dict[str, Any], cause: str, message: str) -> None:
    """Whoever reads it knows what to do."""
    reading = await who(desk, **fields)
    assert (reading.cause, reading.detail) == (cause, message)


@pytest.mark.parametrize("changed", [{"schedule": ""}, {"escalation_policy": "orders"}])
def test_it_asks_one_thing(changed: dict[str, str]) -> None:
    """Neither nothing nor two at once."""
    with pytest.raises(ValidationError, match="Write one of them"):
        Condition.model_validate({"name": "it", "source": {**EXAMPLE, **changed}, "pass": {"equals": "Carol"}})


async def test_the_example_is_answered() -> None:
    """As it stands in the documentation."""
    with serving(pagerduty(at_pagerduty(CAROL))) as product:
        reading = await asked(EXAMPLE, product.connection("pagerduty_default"), good={"equals": "Carol Danvers"})
    assert reading.verdict == "pass"
