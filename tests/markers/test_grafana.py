"""The marker grafana: one region for each change, from when it begins to act until it ends."""

from collections.abc import Iterator
from typing import Any

import pytest

from changewindow.markers.base import Moment
from changewindow.systems.measurement import SourceError
from servers.marker_apis import TOKEN, Tool, telling
from support.marked import BEGAN, ROLLING_BACK, ended, tell
from support.recording_server import Reply

SETTINGS = {"kind": "grafana", "connection": "tool"}


@pytest.fixture
def grafana() -> Iterator[Tool]:
    """Serve Grafana."""
    with telling("grafana") as tool:
        yield tool


def milliseconds(of: Any) -> int:
    """Return a moment as Grafana has it."""
    return int(of.timestamp() * 1000)


async def test_a_change_is_a_region_from_its_gate_to_its_end(grafana: Tool) -> None:
    """While it runs, its tags say so; then they say the outcome."""
    assert await tell(SETTINGS, BEGAN, grafana.connection()) == "annotation 1"
    assert "outcome:running" in grafana.entries["1"]["tags"]
    end = ended("completed")
    assert await tell(SETTINGS, end, grafana.connection()) == "annotation 1"
    (entry,) = grafana.entries.values()
    assert (entry["time"], entry["timeEnd"]) == (milliseconds(BEGAN.at), milliseconds(end.at))
    assert entry["text"] == "CHG-1042 is complete: Switch the banner on.\np99 latency: 900 ms, limit 200 ms"
    assert entry["tags"] == [
        *("changewindow", "change:CHG-1042", "service:orders", "service:catalogue"),
        *("environment:production", "outcome:completed"),
    ]


async def test_the_rollback_of_a_run_that_died_ends_its_region(grafana: Tool) -> None:
    """Nobody has told Grafana of the end of that run."""
    await tell(SETTINGS, BEGAN, grafana.connection())
    await tell(SETTINGS, ROLLING_BACK, grafana.connection())
    assert "is being rolled back" in grafana.entries["1"]["text"]
    end = ended("rolled_back", before=ROLLING_BACK)
    await tell(SETTINGS, end, grafana.connection())
    (entry,) = grafana.entries.values()
    assert (entry["time"], entry["timeEnd"]) == (milliseconds(BEGAN.at), milliseconds(end.at))
    assert "outcome:rolled_back" in entry["tags"]


async def test_the_rollback_of_a_completed_change_is_a_region_of_its_own(grafana: Tool) -> None:
    """The one before stays as it is."""
    for moment in (BEGAN, ended("completed"), ROLLING_BACK, ended("rolled_back", before=ROLLING_BACK)):
        await tell(SETTINGS, moment, grafana.connection())
    assert [entry["tags"][-1] for entry in grafana.entries.values()] == ["outcome:completed", "outcome:rolled_back"]


@pytest.mark.parametrize("first", [(BEGAN,), (BEGAN, ROLLING_BACK)], ids=["its own", "that of a run that died"])
async def test_a_run_that_ended_otherwise_than_was_told_has_its_region_corrected(
    grafana: Tool, first: tuple[Moment, ...]
) -> None:
    """As when `close` was cleared after it had died."""
    for moment in (*first, ended("rollback_failed", before=first[-1]), ended("rolled_back", before=first[-1])):
        await tell(SETTINGS, moment, grafana.connection())
    (entry,) = grafana.entries.values()
    assert (entry["tags"][-1], entry["time"]) == ("outcome:rolled_back", milliseconds(BEGAN.at))
    assert "needs somebody" not in entry["text"]


async def test_an_end_whose_beginning_never_arrived_is_a_whole_region(grafana: Tool) -> None:
    """As when Grafana was down then."""
    end = ended("rolled_back")
    await tell(SETTINGS, end, grafana.connection())
    (entry,) = grafana.entries.values()
    assert (entry["time"], entry["timeEnd"]) == (milliseconds(BEGAN.at), milliseconds(end.at))


async def test_another_change_that_runs_is_left_alone(grafana: Tool) -> None:
    """Its tags are others."""
    grafana.add({"tags": ["changewindow", "change:CHG-1", "environment:production", "outcome:running"]})
    await tell(SETTINGS, ended("completed"), grafana.connection())
    assert grafana.entries["1"]["tags"][-1] == "outcome:running"


async def test_it_may_belong_to_one_dashboard(grafana: Tool) -> None:
    """Two markers for two dashboards each have their own."""
    for board in ("orders", "shop"):
        await tell({**SETTINGS, "dashboard": board}, BEGAN, grafana.connection())
    await tell({**SETTINGS, "dashboard": "shop"}, ended("completed"), grafana.connection())
    states = {entry["dashboardUID"]: entry["tags"][-1] for entry in grafana.entries.values()}
    assert states == {"orders": "outcome:running", "shop": "outcome:completed"}


async def test_what_people_have_written_is_no_html(grafana: Tool) -> None:
    """Grafana shows the text of an annotation as a page."""
    await tell(SETTINGS, ended("rolled_back", "<a href='https://evil'>our wiki</a> & more"), grafana.connection())
    (entry,) = grafana.entries.values()
    assert "&lt;a href=&#x27;https://evil&#x27;&gt;our wiki&lt;/a&gt; &amp; more" in entry["text"]


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (Reply(200, "<html>log in</html>"), "Grafana answered without JSON. Is "),
        (Reply(200, '{"message": "hello"}'), "Grafana answered with something else than annotations"),
    ],
)
async def test_what_answers_in_its_place_is_named(grafana: Tool, reply: Reply, problem: str) -> None:
    """A proxy that wants a login answers everything with a page."""
    grafana.server.otherwise = reply
    with pytest.raises(SourceError) as failed:
        await tell(SETTINGS, BEGAN, grafana.connection())
    assert str(failed.value).startswith(problem)
    assert len(str(failed.value)) < 400


async def test_a_login_serves_as_well_as_a_token(grafana: Tool) -> None:
    """As with the source of the same name."""
    grafana.server.otherwise = Reply(200, '[{"id": 7, "time": 1, "tags": ["outcome:running"]}]')
    assert await tell(SETTINGS, BEGAN, grafana.connection(login="admin")) == "annotation 7"
    assert grafana.server.requests[0].headers["Authorization"].startswith("Basic ")
    assert TOKEN not in str(grafana.server.requests)
