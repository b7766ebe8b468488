"""What the API of a product answers, and what a person reads of it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from changewindow.sources import alertmanager, grafana, incidents, on_call, review
from changewindow.systems.connection import Connection
from changewindow.watch.reading import Reading
from servers.product_apis import github, serving
from sources.test_every_source import GARBAGE
from support.ask_source import asked
from support.recording_server import RecordingServer

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
    *(body for body in GARBAGE if isinstance(body, str)),
    DEEP,
    '"text"',
    "7",
    "[{}]",
    '[{"labels": 7}]',
    '{"data": null}',
    '{"services": [{}], "more": false}',
]


async def reading(server: RecordingServer, source: dict[str, Any], kind: str, **fields: Any) -> Reading:
    """Return the reading of a source behind a connection with a token; whatever it says is good."""
    connection = Connection("it", kind, host=server.url, **{"password": "s3cret-token", **fields})
    return await asked({**source, "connection": "it"}, connection, good={"matches": "(?s).*"})


@pytest.mark.parametrize(("source", "kind"), SOURCES)
async def test_garbage_is_never_good(server: RecordingServer, source: dict[str, Any], kind: str) -> None:
    """Whatever a server answers that is not what its documentation says."""
    for text in ODD:
        server.otherwise = (200, text)
        result = await reading(server, source, kind)
        assert result.verdict == "error", (text[:80], result.line())


@pytest.mark.parametrize(("source", "kind"), SOURCES)
async def test_a_refusal_is_never_good(server: RecordingServer, source: dict[str, Any], kind: str) -> None:
    """Also with a body that would be."""
    for status in (302, 400, 401, 403, 404, 409, 429, 500, 503):
        server.otherwise = (status, json.dumps({"message": "no", "data": [], "services": [], "more": False}))
        result = await reading(server, source, kind)
        assert result.verdict == "error", (status, result.line())
        assert "s3cret" not in result.detail


@pytest.mark.parametrize(
    ("status", "text", "message"),
    [
        (
            200,
            "<html>Sign in</html>",
            "Grafana answered without JSON. Is {url}/api/prometheus/grafana/api/v1/rules its API?",
        ),
        (
            302,
            "",
            (
                "Grafana answered 302: what was asked for is at /elsewhere. "
                "Write its new name into the ticket, or correct the host of the connection 'it'."
            ),
        ),
        (
            503,
            '{"message": "starting\\n up"}',
            "Grafana answered 503 starting up. Is it up, and the address of its API right?",
        ),
        (400, '{"message": "bad"}', "Grafana does not understand the question (400 bad). Correct the ticket."),
        (
            404,
            "",
            (
                "there is no /api/prometheus/grafana/api/v1/rules at {url}. Is it the API of Grafana? "
                "Correct the host of the connection 'it', path and all."
            ),
        ),
    ],
)
async def test_a_refusal_says_what_to_do(server: RecordingServer, status: int, text: str, message: str) -> None:
    """Word for word."""
    server.otherwise = (status, text)
    assert (await reading(server, grafana.EXAMPLE, "http")).detail == message.format(url=server.url)


async def test_a_token_goes_into_a_header_alone(server: RecordingServer) -> None:
    """Never into an address, and with no login beside it."""
    await reading(server, review.EXAMPLE, "http", login="alice")
    [(_, path, headers, _)] = server.requests
    assert "s3cret" not in path
    assert headers["Authorization"] == "Bearer s3cret-token"


@pytest.mark.parametrize("password", ["s3cret-token\n", " s3cret-token\r\n"])
async def test_white_space_around_a_token_is_none_of_it(server: RecordingServer, password: str) -> None:
    """Secrets that come from files end with a line break."""
    await reading(server, review.EXAMPLE, "http", password=password)
    assert server.requests[0].headers["Authorization"] == "Bearer s3cret-token"


@pytest.mark.parametrize("password", ["s3cret-t\u00f6ken", "s3cret\ntoken"])
async def test_what_cannot_be_a_token_is_not_sent(server: RecordingServer, password: str) -> None:
    """No header could carry it."""
    result = await reading(server, review.EXAMPLE, "http", password=password)
    assert (result.cause, server.requests) == ("unreachable", [])
    assert result.detail == (
        "The Airflow Connection 'it' has no token in its password, but other text; it must be a token that may read "
        "the repository's pull requests (fine-grained: Pull requests, read; classic: repo). "
        "Complete it under Admin, Connections."
    )


SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}


@pytest.mark.parametrize(
    ("status", "headers", "body", "seconds"),
    [
        pytest.param(429, {"Retry-After": "30"}, {}, 30, id="so many seconds"),
        pytest.param(429, {"ratelimit-reset": "41"}, {}, 41, id="seconds of PagerDuty"),
        pytest.param(429, {"RateLimit-Reset": "{moment}", "Retry-After": "20"}, {}, 20, id="both of GitLab"),
        pytest.param(429, {"RateLimit-Reset": "{moment}"}, {}, None, id="the moment of GitLab"),
        pytest.param(
            403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "{moment}"}, {}, None, id="GitHub's first"
        ),
        pytest.param(403, {"X-RateLimit-Remaining": "4000"}, SECONDARY, 60, id="GitHub's second, without a time"),
        pytest.param(429, {"X-RateLimit-Reset": "7"}, {}, 7, id="a short time"),
        pytest.param(429, {"Retry-After": "Wed, 18 Mar 2031 14:00:00 GMT"}, {}, 60, id="a date, which nobody sends"),
    ],
)
async def test_it_keeps_as_quiet_as_is_wanted(status: int, headers: Any, body: Any, seconds: int | None) -> None:
    """By whatever header the product says so, and a minute without one."""
    asked_at = datetime.now(UTC).timestamp()
    moment = int(asked_at) + 6000
    with serving(github({}, [])) as product:
        product.limit = {name: text.format(moment=moment) for name, text in headers.items()}
        product.limited, product.refusals[429] = status, body
        kept: dict[str, Any] = {}
        result = await asked(review.EXAMPLE, product.connection("github"), kept=kept)
    assert result.detail.startswith("GitHub was asked too often and wants quiet until ")
    until = kept["quiet_until"]
    is_right = until == moment if seconds is None else asked_at + seconds <= until <= result.at.timestamp() + seconds
    assert is_right, (until, asked_at, moment)


async def test_what_has_moved_says_where_it_is() -> None:
    """A repository was renamed: GitHub points to it, and nothing follows on its own."""
    with serving(github({}, [])) as product:
        product.limit, product.limited = {"Location": "https://api.github.com/repositories/7/pulls/481?x=1"}, 301
        product.refusals[429] = {"message": "Moved Permanently"}
        result = await asked(review.EXAMPLE, product.connection("github"))
    assert (result.cause, result.detail) == (
        "unreachable",
        (
            "GitHub answered 301 Moved Permanently: what was asked for is at "
            "https://api.github.com/repositories/7/pulls/481. "
            "Write its new name into the ticket, or correct the host of the connection 'github'."
        ),
    )
