"""The middleware that records what people do by hand."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from changewindow.flow.server.audit import Clicks, about
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import Clicked

TASK = "/api/v2/dags/CHG-1042/dagRuns/run/taskInstances/watch"


@pytest.mark.parametrize(
    ("path", "body", "changes"),
    [
        pytest.param(TASK, "{}", ["CHG-1042"], id="a task of a change"),
        pytest.param(
            "/api/v2/dags/~/dagRuns/~/taskInstances",
            '{"actions": [{"entities": [{"dag_id": "CHG-1"}, {"dag_id": "CHG-2"}]}]}',
            ["CHG-1", "CHG-2"],
            id="tasks of two changes at once",
        ),
        pytest.param("/api/v2/backfills", '{"dag_id": "CHG-7"}', ["CHG-7"], id="a backfill"),
        pytest.param("/api/v2/dags/request_change/dagRuns", '{"conf": {"change": "CHG-3"}}', [], id="another run"),
        pytest.param("/api/v2/dags/CHG-4/clearTaskInstances", '{"dry_run": true}', [], id="what would be cleared"),
        pytest.param("/api/v2/dags/CHG-4/clearTaskInstances", "not JSON", ["CHG-4"], id="garbage"),
        pytest.param("/api/v2/pools", "[]", [], id="no change at all"),
    ],
)
def test_what_a_request_is_about(path: str, body: str, changes: list[str]) -> None:
    """The changes it names, where it is a request to them."""
    assert about(path, body) == changes


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with what was sent."""
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message["body"]})


@pytest.fixture
def recorded() -> list[Event]:
    """Return what was recorded."""
    return []


@pytest.fixture
def ask(recorded: list[Event]) -> Callable[..., Awaitable[httpx.Response]]:
    """Return what sends a request through the middleware; CHG-1042 acts."""

    async def send(method: str, path: str, body: Any) -> httpx.Response:
        app = Clicks(echo, recorded.append, lambda change: "it acts" if change == "CHG-1042" else None)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return await client.request(method, path, json=body)

    return send


async def test_a_click_is_recorded_with_its_answer(
    ask: Callable[..., Awaitable[httpx.Response]], recorded: list[Event]
) -> None:
    """The application gets the body as it was sent; the record has it too. Nobody known sent it."""
    reply = await ask("PATCH", TASK, {"new_state": "success"})
    assert reply.json() == {"new_state": "success"}
    assert [(event.change, event.actor) for event in recorded] == [("CHG-1042", "unknown")]
    clicked = recorded[0].payload
    assert isinstance(clicked, Clicked)
    assert clicked.status == 200
    assert json.loads(clicked.body) == {"new_state": "success"}


async def test_what_only_reads_is_not_recorded(
    ask: Callable[..., Awaitable[httpx.Response]], recorded: list[Event]
) -> None:
    """Nor is what the tasks themselves tell Airflow."""
    await ask("GET", TASK, None)
    await ask("POST", "/execution/task-instances/CHG-1042", {})
    assert recorded == []


async def test_a_change_that_acts_is_not_paused(
    ask: Callable[..., Awaitable[httpx.Response]], recorded: list[Event]
) -> None:
    """The attempt is refused and recorded; another change may be paused, and this one unpaused."""
    refused = await ask("PATCH", "/api/v2/dags/CHG-1042", {"is_paused": True})
    assert (refused.status_code, refused.json()) == (409, {"detail": "it acts"})
    assert recorded[0].entry.data["status"] == 409
    assert (await ask("PATCH", "/api/v2/dags/CHG-1042", {"is_paused": False})).status_code == 200
    assert (await ask("PATCH", "/api/v2/dags/CHG-7", {"is_paused": True})).status_code == 200
