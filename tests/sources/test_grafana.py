"""The source grafana: how many alerts fire, at a server that speaks the API of Grafana's alert rules."""

import json
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from changewindow.sources.grafana import EXAMPLE
from servers.product_apis import TOKEN, Desk, grafana, serving
from support.ask_source import asked


def moment(ago: float = 5) -> str:
    """Return a moment as Go writes it, with nanoseconds."""
    return (datetime.now(UTC) - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%S.%f") + "789Z"


JUST_NOW = "just now"
"""A moment in a parameter, which is made when tests are collected and may wait for minutes until its test runs."""


def alert(state: str, **labels: str) -> dict[str, Any]:
    """Return one alert of a rule."""
    usual = {"alertname": "errors", "grafana_folder": "Orders", "severity": "page"}
    return {"labels": {**usual, **labels}, "annotations": {}, "state": state, "activeAt": JUST_NOW, "value": "1e+00"}


def rule(*alerts: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """Return an alert rule that was evaluated five seconds ago."""
    usual = {"name": "errors", "labels": {"severity": "page"}, "health": "ok", "type": "alerting", "state": "inactive"}
    return {**usual, "lastEvaluation": JUST_NOW, "alerts": list(alerts), **changed}


def group(*rules: dict[str, Any], folder: str = "Orders", interval: float = 60) -> dict[str, Any]:
    """Return a group of rules in a folder."""
    return {"name": "it", "file": folder, "interval": interval, "rules": list(rules)}


def knowing(*groups: dict[str, Any], **options: Any) -> AbstractContextManager[Desk]:
    """Serve a Grafana that has evaluated these groups five seconds ago."""
    return serving(grafana(json.loads(json.dumps(groups).replace(JUST_NOW, moment())), **options))


async def reading_of(*groups: dict[str, Any], since: datetime | None = None, **fields: Any) -> Any:
    """Return the reading of what Grafana knows."""
    with knowing(*groups) as product:
        return await asked({**EXAMPLE, **fields}, product.connection("grafana"), since=since, good={"equals": 0})


@pytest.mark.parametrize(
    ("groups", "value"),
    [
        pytest.param([group(rule())], 0, id="a rule without alerts"),
        pytest.param([group(rule(alert("Normal"), alert("Pending")))], 0, id="normal and pending"),
        pytest.param([group(rule(alert("Alerting"), alert("Alerting (NoData)"), alert("Recovering")))], 3, id="firing"),
        pytest.param([group(rule(alert("Alerting", severity="ticket")))], 0, id="another label"),
        pytest.param([group(rule()), group(rule(alert("Alerting")), folder="Billing")], 0, id="another folder"),
        pytest.param([group(rule(alert("Alerting"), labels={}))], 1, id="labels of the alert alone"),
        pytest.param(
            [group(rule(), rule(type="recording", health="error", labels={"severity": "page"}))],
            0,
            id="recording rules",
        ),
        pytest.param(
            [group(rule(), rule(health="error", labels={"severity": "ticket"}))],
            0,
            id="a broken rule that nobody asked",
        ),
        pytest.param([group(rule(alert("Normal (NoData)")))], 0, id="the rule takes no data for good"),
    ],
)
async def test_firing_alerts_are_counted(groups: list[dict[str, Any]], value: int) -> None:
    """By folder and labels."""
    reading = await reading_of(*groups)
    assert (reading.value, reading.cause) == (value, None), reading.detail
    assert ("errors" in reading.detail) == (value > 0)


BROKEN = "the rule 'errors' in folder 'Orders' cannot be evaluated: "


@pytest.mark.parametrize(
    ("groups", "cause", "message"),
    [
        pytest.param(
            [group(rule(labels={}), folder="Billing")],
            "no_data",
            'Grafana has no alert rule for firing alerts {severity=~"critical|page"} in folder Orders at grafana that '
            "the token can see. Correct the ticket, or give the token access to the folder.",
            id="no such rule",
        ),
        pytest.param(
            [group(rule(), folder="Shop/Orders")],
            "no_data",
            'Grafana has no alert rule for firing alerts {severity=~"critical|page"} in folder Orders at grafana that '
            "the token can see. Did you mean the folder 'Shop/Orders'? Correct the ticket, or give",
            id="a folder within another",
        ),
        pytest.param([], "no_data", "Grafana has no alert rule for ", id="no rule at all"),
        pytest.param(
            [group(rule(health="error", lastError="dial tcp: connection\nrefused"))],
            "unreachable",
            f"{BROKEN}dial tcp: connection refused. Is its data source up?",
            id="the data source is down",
        ),
        pytest.param([group(rule(alert("Alerting (Error)")))], "unreachable", BROKEN, id="one query fails"),
        pytest.param([group(rule(alert("Normal (Error)")))], "unreachable", BROKEN, id="an error taken for good"),
        pytest.param(
            [group(rule(alert("Normal (NoData, KeepLast)")))],
            "no_data",
            "the rule 'errors' in folder 'Orders' keeps an old state, as it gets no data from its query any more",
            id="an old state that is kept",
        ),
        pytest.param([group(rule(health="nodata"))], "no_data", "the rule 'errors' in folder", id="no data"),
        pytest.param(
            [group(rule(lastEvaluation="0001-01-01T00:00:00Z"))],
            "no_data",
            "the rule 'errors' in folder 'Orders' is not evaluated. Is it paused, or new?",
            id="never evaluated",
        ),
        pytest.param([group(rule(isPaused=True))], "no_data", "the rule 'errors' in folder", id="paused"),
        pytest.param(
            [group(rule(lastEvaluation=moment(200)))], "stale", "the rule 'errors' in folder", id="the scheduler hangs"
        ),
    ],
)
async def test_silence_is_not_always_good(groups: list[dict[str, Any]], cause: str, message: str) -> None:
    """A rule that cannot fire proves nothing."""
    reading = await reading_of(*groups)
    assert (reading.value, reading.cause) == (None, cause)
    assert reading.detail.startswith(message)


async def test_it_is_as_old_as_the_oldest_evaluation() -> None:
    """What was evaluated before the last step ended says nothing about it."""
    groups = [group(rule(lastEvaluation=moment(1)), rule(lastEvaluation=moment(30)))]
    ended = datetime.now(UTC) - timedelta(seconds=20)
    assert (await reading_of(*groups, since=ended)).cause == "stale"
    assert (await reading_of(*groups, since=ended - timedelta(seconds=20))).cause is None


@pytest.mark.parametrize(
    ("seconds", "told"), [(30, "the newest value is from {} UTC"), (200, "evaluated at {} UTC last")]
)
async def test_a_grafana_in_kathmandu_is_told_of_in_utc(seconds: int, told: str) -> None:
    """Its times are those of its own zone."""
    evaluated = datetime.now(UTC) - timedelta(seconds=seconds)
    there = evaluated.astimezone(ZoneInfo("Asia/Kathmandu")).isoformat()
    reading = await reading_of(group(rule(lastEvaluation=there)), since=evaluated + timedelta(seconds=1))
    assert told.format(f"{evaluated:%H:%M:%S}") in reading.detail


async def test_login_and_password_do_as_well() -> None:
    """For a Grafana without service accounts."""
    with knowing(group(rule()), login="robot") as product:
        reading = await asked(EXAMPLE, product.connection("grafana", login="robot"), good={"equals": 0})
    assert reading.verdict == "pass"


async def test_a_refusal_says_what_the_token_lacks() -> None:
    """Wrong or expired, and without the permission."""
    with knowing(group(rule())) as product:
        expired = await asked(EXAMPLE, product.connection("grafana", password="s3cret-old"))
        product.is_forbidden = True
        forbidden = await asked(EXAMPLE, product.connection("grafana"))
    assert "Grafana does not know the token of the connection 'grafana' (401 Invalid API key)" in expired.detail
    assert "may not do this at Grafana (403 Permissions needed: alert.rules:read). It must be " in forbidden.detail
    assert {expired.cause, forbidden.cause} == {"unreachable"}
    assert TOKEN not in expired.detail + forbidden.detail


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"warnings": ["one of two replicas did not answer"]}, "one of two replicas did not answer"),
        ({"data": {"groups": [group(rule())], "groupNextToken": "abc"}}, "there are more groups of rules"),
    ],
)
async def test_an_answer_without_a_part_proves_nothing(part: dict[str, Any], says: str) -> None:
    """The rule that fires may be in the part that is missing."""
    with knowing(group(rule())) as product:
        path, answer = next(iter(product.routes.items()))
        product.routes[path] = lambda request: (200, {**json.loads(json.dumps(answer(request)[1])), **part})
        reading = await asked(EXAMPLE, product.connection("grafana"), good={"equals": 0})
    assert (reading.value, reading.cause) == (None, "invalid")
    assert reading.detail.startswith(f"Grafana's answer is not complete: {says}. Ask for fewer by the `folder`")
