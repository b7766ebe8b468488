"""What holds for every kind of source, found by its file."""

import importlib
import json
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow import kinds
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import SourceContext
from changewindow.watch.baseline import Seen
from changewindow.watch.condition import Condition
from changewindow.watch.reading import Reading, take
from changewindow.watch.shared_answers import client
from source_fixtures import MOVED
from support.ask_source import asked
from support.recording_server import RecordingServer

SOURCES = kinds.modules("sources")
REMOTE = [name for name, module in SOURCES.items() if "connection" in module.EXAMPLE]
GARBAGE = [
    "",
    "<html>",
    "{}",
    "[]",
    "null",
    '{"status": "success"}',
    '{"status": "success", "data": 7}',
    "\x00",
    "a b c\n",
    pytest.param("[" * 100_000, id="lists in lists"),
]


async def read(url: str, source: dict[str, Any], *, newer_than: datetime | None = None) -> Reading:
    """Take a reading of a source that is good when it is 1."""

    async def connect(name: str) -> Connection:
        return Connection(name, "http", host=url)

    asked = {"name": "it", "source": source, "pass": {"equals": 1}, "timeout": "2s"}
    async with client() as http:
        return await take(Condition.model_validate(asked), SourceContext(http, connect), Seen(), newer_than=newer_than)


@pytest.fixture(params=SOURCES.values(), ids=SOURCES.keys())
def module(request: pytest.FixtureRequest) -> ModuleType:
    """Return each kind's module."""
    module: ModuleType = request.param
    return module


def test_its_example_is_valid_documented_and_says_what_is_asked(module: ModuleType) -> None:
    """The plan can tell what is measured."""
    condition = Condition.model_validate({"name": "it", "source": module.EXAMPLE, "pass": {"equals": 1}})
    assert condition.source.description()
    assert module.__doc__


def test_an_unknown_field_is_refused(module: ModuleType) -> None:
    """A typing mistake is not ignored."""
    with pytest.raises(ValidationError):
        Condition.model_validate({"name": "it", "source": {**module.EXAMPLE, "qerry": 1}, "pass": {"equals": 1}})


def test_it_survives_the_way_into_a_trigger(module: ModuleType) -> None:
    """The watch hands its conditions on as JSON."""
    condition = Condition.model_validate({"name": "it", "source": module.EXAMPLE, "pass": {"equals": 1}})
    carried = json.dumps(condition.model_dump(mode="json", by_alias=True, exclude_none=True))
    assert Condition.model_validate(json.loads(carried)) == condition


@pytest.mark.parametrize("kind", REMOTE)
async def test_nobody_there_is_unreachable(kind: str) -> None:
    """A source that is down is a reading with its cause, never an exception and never good."""
    reading = await read("http://127.0.0.1:1", SOURCES[kind].EXAMPLE)
    assert (reading.verdict, reading.cause) == ("error", "unreachable")


@pytest.mark.parametrize("text", GARBAGE)
@pytest.mark.parametrize("kind", [kind for kind in REMOTE if kind != "http"])
async def test_garbage_is_never_good(server: RecordingServer, kind: str, text: str) -> None:
    """Whatever a server answers, it is a reading with a cause."""
    server.otherwise = (200, text)
    reading = await read(server.url, SOURCES[kind].EXAMPLE)
    assert reading.verdict == "error"
    assert reading.cause in {"no_data", "invalid", "unreachable"}


async def test_its_example_has_an_answer(module: ModuleType, tmp_path: Path) -> None:
    """As it is written, but for addresses on this machine, it reads what is there: see `answers`."""
    there = importlib.import_module(f"source_fixtures.{module.__name__.rpartition('.')[2]}")
    with there.place(tmp_path) as place:
        moved = {name for name, value in place.source.items() if module.EXAMPLE.get(name) != value}
        assert moved <= MOVED, "that is another example"
        kept: dict[str, Any] = {}
        for _ in range(place.readings):
            question = asked(place.source, *place.connections, good=place.good, change=place.change, kept=kept)
            reading = await question
    assert (reading.verdict, reading.cause) == ("pass", None), reading.detail
