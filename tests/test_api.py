"""What the API of a product answers, and what a person reads of it."""

import json
from typing import Any

import pytest

from asks import asked
from changewindow.connection import Connection
from changewindow.reading import Reading
from changewindow.sources import alertmanager, grafana, incidents, on_call, review
from known import Told
from test_every_source import GARBAGE

GITLAB = {"kind": "review", "connection": "it", "merge_request": "example/orders!481"}
POLICY = {"kind": "on_call", "connection": "it", "escalation_policy": "PPOLICY"}
SOURCES = [
    pytest.param(incidents.EXAMPLE, "pagerduty", id="incidents at PagerDuty"),
    pytest.param(incidents.EXAMPLE, "opsgenie", id="incidents at Opsgenie"),
    pytest.param(on_call.EXAMPLE, "pagerduty", id="on call at PagerDuty"),
    pytest.param(on_call.EXAMPLE, "opsgenie", id="on call at Opsgenie"),
    pytest.param(POLICY, "pagerduty", id="policy at PagerDuty"),
    pytest.param(review.EXAMPLE, "http", id="review at GitHub"),
    pytest.param(GITLAB, "http", id="review at GitLab"),
    pytest.param(grafana.EXAMPLE, "http", id="grafana"),
    pytest.param(alertmanager.EXAMPLE, "http", id="alertmanager"),
]
DEEP = "[" * 100_000
ODD = [
    *(one for one in GARBAGE if isinstance(one, str)),
    DEEP,
    '"text"',
    "7",
    "[{}]",
    '[{"labels": 7}]',
    '{"data": null}',
    '{"services": [{}], "more": false}',
]


async def reading(server: Told, source: dict[str, Any], kind: str, **fields: Any) -> Reading:
    """Return the reading of a source behind a connection with a token; whatever it says is good."""
    connection = Connection("it", kind, host=server.url, password="s3cret-token", **fields)
    return await asked({**source, "connection": "it"}, connection, good={"matches": "(?s).*"})


@pytest.mark.parametrize(("source", "kind"), SOURCES)
async def test_garbage_is_never_good(server: Told, source: dict[str, Any], kind: str) -> None:
    """Whatever a server answers that is not what its documentation says."""
    for text in ODD:
        server.otherwise = (200, text)
        found = await reading(server, source, kind)
        assert found.verdict == "error", (text[:80], found.line())


@pytest.mark.parametrize(("source", "kind"), SOURCES)
async def test_a_refusal_is_never_good(server: Told, source: dict[str, Any], kind: str) -> None:
    """Also with a body that would be."""
    for status in (302, 400, 401, 403, 404, 409, 429, 500, 503):
        server.otherwise = (status, json.dumps({"message": "no", "data": [], "services": [], "more": False}))
        found = await reading(server, source, kind)
        assert found.verdict == "error", (status, found.line())
        assert "s3cret" not in found.says


@pytest.mark.parametrize(
    ("status", "text", "says"),
    [
        (
            200,
            "<html>Sign in</html>",
            "Grafana answered without JSON. Is {url}/api/prometheus/grafana/api/v1/rules its API?",
        ),
        (302, "", "Grafana answered 302. Is it up, and the address of its API right?"),
        (
            503,
            '{"message": "starting\\n up"}',
            "Grafana answered 503 starting up. Is it up, and the address of its API right?",
        ),
        (400, '{"message": "bad"}', "Grafana does not understand the question (400 bad). Correct the ticket."),
    ],
)
async def test_a_refusal_says_what_to_do(server: Told, status: int, text: str, says: str) -> None:
    """Word for word."""
    server.otherwise = (status, text)
    assert (await reading(server, grafana.EXAMPLE, "http")).says == says.format(url=server.url)


async def test_a_token_goes_into_a_header_alone(server: Told) -> None:
    """Never into an address, and with no login beside it."""
    await reading(server, review.EXAMPLE, "http", login="alice")
    [(_, path, headers, _)] = server.asked
    assert "s3cret" not in path
    assert headers["Authorization"] == "Bearer s3cret-token"
