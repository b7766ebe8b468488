"""What holds for every kind of marker, found by its file."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow import kinds
from changewindow.errors import ChangeError
from changewindow.markers.base import Moment
from changewindow.policy.outcome import Outcome
from changewindow.systems.measurement import SourceError
from servers.marker_apis import Tool, telling
from support.marked import BEGAN, ROLLING_BACK, ended, marker, tell
from support.recording_server import Answer, Reply

MARKERS = kinds.modules("markers")
OUTCOMES: tuple[Outcome, ...] = Outcome.__args__  # type: ignore[attr-defined]
MOMENTS = {"began": BEGAN, "rolling_back": ROLLING_BACK, **{outcome: ended(outcome) for outcome in OUTCOMES}}
HOSTILE = "<script>alert(1)</script> %%% @all \x1b[2J\u202e" + "x" * 50_000
UNKNOWN_TWICE = {"pagerduty", "datadog"}
"""Those that cannot know a moment again, and say so."""


@pytest.fixture(params=MARKERS)
def kind(request: pytest.FixtureRequest) -> str:
    """Return each kind."""
    return str(request.param)


@pytest.fixture
def module(kind: str) -> ModuleType:
    """Return its module."""
    return MARKERS[kind]


@pytest.fixture
def tool(kind: str) -> Iterator[Tool]:
    """Serve the product of each kind."""
    with telling(kind) as tool:
        yield tool


@pytest.fixture
def settings(kind: str) -> dict[str, Any]:
    """Return the least that a policy writes for it."""
    return {"kind": kind, "connection": "tool"}


def test_its_example_is_valid_and_documented(module: ModuleType) -> None:
    """Whoever writes markers.yaml can copy it."""
    assert marker(module.EXAMPLE)
    assert module.__doc__
    assert "Source: https://" in module.__doc__


def test_an_unknown_field_is_refused(module: ModuleType) -> None:
    """A typing mistake is not ignored."""
    with pytest.raises(ValidationError):
        marker({**module.EXAMPLE, "servises": ["orders"]})


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
async def test_each_moment_stands_there_with_its_change(settings: dict[str, Any], tool: Tool, moment: Moment) -> None:
    """With its id, its services, its environment, and how it ended."""
    await tell(settings, moment, tool.connection())
    (entry,) = tool.entries.values()
    text = json.dumps(entry)
    for word in ("CHG-1042", "Switch the banner on.", "orders", "catalogue", "production", moment.state):
        assert word in text
    if moment.has_ended:
        assert "900 ms, limit 200 ms" in text


async def test_a_moment_that_is_told_twice_stands_there_once(
    settings: dict[str, Any], kind: str, module: ModuleType, tool: Tool
) -> None:
    """As when a process dies before it could write that down; where the product cannot know, the kind says so."""
    for _ in range(2):
        await tell(settings, BEGAN, tool.connection())
    assert len(tool.entries) == (2 if kind in UNKNOWN_TWICE else 1)
    assert ("there twice" in " ".join(str(module.__doc__).split())) == (kind in UNKNOWN_TWICE)


@pytest.mark.parametrize("moment", [BEGAN, ended("rolled_back")], ids=["began", "ended"])
async def test_nothing_that_people_have_written_is_too_much(
    settings: dict[str, Any], tool: Tool, moment: Moment
) -> None:
    """The product takes it, and it is neither endless nor unseen."""
    many = tuple(f"service-{number}-{'x' * 200}" for number in range(500))
    hostile = replace(moment, summary=HOSTILE, reason=HOSTILE, services=many)
    await tell(settings, hostile, tool.connection())
    (entry,) = tool.entries.values()
    assert "\u202e" not in json.dumps(entry, ensure_ascii=False)
    assert "\x1b" not in str(entry)


WRONG: dict[str, Answer] = {
    "no token": Reply(401, '{"message": "who are you?"}'),
    "not allowed": Reply(403, '{"errors": ["Forbidden"]}'),
    "not understood": Reply(400, '{"message": "Event object is invalid", "errors": ["too old"]}'),
    "too often": Reply(429, "[]"),
    "somewhere else": Reply(301, ""),
    "down": Reply(503, "<html>"),
    "lost": Reply(is_lost=True),
    "hanging": Reply(delay=0.5),
}


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG)
async def test_whatever_goes_wrong_is_said_with_what_to_do(
    settings: dict[str, Any], tool: Tool, answer: Answer
) -> None:
    """Or which address did not answer; without the secret of the connection."""
    tool.server.otherwise = answer
    with pytest.raises((SourceError, ChangeError)) as failed:
        await tell({**settings, "within": "200ms"}, BEGAN, tool.connection())
    assert re.search(r"[.?] ", str(failed.value)) or str(failed.value).startswith(tool.server.url)
    assert tool.password not in str(failed.value)


async def test_without_its_connection_it_says_which(settings: dict[str, Any]) -> None:
    """And where to correct it."""
    with pytest.raises((SourceError, ChangeError)) as failed:
        await tell(settings, BEGAN)
    remedy = "Create it under Admin, Connections, or correct markers.yaml"
    assert str(failed.value) == f"there is no Airflow Connection 'tool'. {remedy}"


async def test_without_a_password_nothing_is_sent(settings: dict[str, Any], kind: str, tool: Tool) -> None:
    """Except to Grafana, which may need none."""
    with pytest.raises((SourceError, ChangeError)) as failed:
        await tell(settings, BEGAN, tool.connection(password=""))
    assert "'tool'" in str(failed.value)
    assert len(tool.server.requests) == (1 if kind == "grafana" else 0)


@pytest.mark.parametrize(
    ("only", "concerns"),
    [
        ({}, True),
        ({"services": ["orders"]}, True),
        ({"services": ["search", "catalogue"]}, True),
        ({"services": ["search"]}, False),
        ({"environments": ["production"]}, True),
        ({"environments": ["staging"]}, False),
        ({"services": ["orders"], "environments": ["staging"]}, False),
    ],
)
def test_it_may_be_for_some_services_and_environments_only(
    settings: dict[str, Any], only: dict[str, Any], *, concerns: bool
) -> None:
    """One that a change concerns with any of its services is told."""
    assert marker({**settings, **only}).concerns(BEGAN) == concerns
