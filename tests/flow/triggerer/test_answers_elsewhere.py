"""A trigger hears within seconds what people have decided outside of Airflow."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from changewindow.changes.run_part import Part
from changewindow.flow.triggerer.arguments import dump
from changewindow.flow.triggers import WatchTrigger, WindowTrigger
from changewindow.ledger.database import Ledger
from changewindow.ticket.model import Condition
from support.slack_rows import ANY_RISK, SECOND, world_of
from support.slack_world import RUN, SlackWorld
from support.tampering import tamper


@pytest.fixture
def known(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Return the ledger that triggers ask."""
    fields = {"conn_type": "sqlite", "host": str(ledger.url.database)}
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps(fields))
    return ledger


async def fired(trigger: Any) -> dict[str, Any]:
    """Return what a trigger fires."""
    async for event in trigger.run():
        return dict(event.payload)
    raise AssertionError("the trigger ended without firing")


def watch(world: SlackWorld) -> WatchTrigger:
    """Return the watch of a change, which goes on while its people are asked."""
    source = {"kind": "command", "run": ["echo", "1"]}
    condition = Condition.model_validate({"name": "x", "source": source, "pass": {"equals": 1}})
    return WatchTrigger(
        change=world.change,
        run=RUN,
        conditions=dump([condition]),
        since=datetime.now(UTC).isoformat(),
        length=600,
        every=60,
        at_first=60,
        later=None,
        unknown="ask",
        asked_until=(datetime.now(UTC) + timedelta(minutes=10)).isoformat(),
        before={},
    )


async def test_a_click_ends_the_watch_that_asks(known: Ledger) -> None:
    """It is handed to the task as Airflow's own answer would be."""
    world = SlackWorld.waiting(known)
    firing = asyncio.create_task(fired(watch(world)))
    done, _ = await asyncio.wait([firing], timeout=2)
    assert not done
    assert world.clicked("bob", "keep").counts
    event = await asyncio.wait_for(firing, 30)
    assert event["chosen_options"] == ["Keep it"]
    assert event["responded_by_user"] == {"id": "bob", "name": "bob"}


async def test_a_click_that_does_not_count_ends_nothing(known: Ledger) -> None:
    """Nor does an answer that somebody has written into the ledger."""
    world = SlackWorld.waiting(known)
    firing = asyncio.create_task(fired(watch(world)))
    assert not world.clicked("carol", "keep").counts
    tamper(
        known,
        "INSERT INTO events (number, sequence, at, kind, actor, data, previous, hash, seal) "
        "SELECT number, sequence + 1, "
        """at, 'answered', 'bob', '{"run":"scheduled__1","by":"bob","answer":["Keep it"]}', hash, 'x', seal """
        "FROM events WHERE number > 0 ORDER BY number DESC, sequence DESC LIMIT 1",
    )
    done, _ = await asyncio.wait([firing], timeout=3)
    assert not done
    firing.cancel()


async def test_an_approval_ends_the_question_of_its_level(known: Ledger) -> None:
    """And not that of the next one, for which there are none yet."""
    world = world_of(known, messages=ANY_RISK, **SECOND)
    opens = datetime.now(UTC) + timedelta(minutes=10)

    def question(given: int) -> WindowTrigger:
        """Return what waits for the sake of the same as a question of Airflow, which is not here."""
        part = Part(run=RUN, digest=world.digest, while_in=("submitted",), given=given)
        return WindowTrigger(change=world.change, part=part.model_dump(), opens=opens)

    first, second = (asyncio.create_task(fired(question(given))) for given in (0, 1))
    assert world.clicked("bob", "approve").counts
    event = await asyncio.wait_for(first, 30)
    assert (event["verdict"], event["reason"]) == ("over", "somebody has approved it elsewhere")
    assert not second.done()
    assert world.clicked("dora", "approve").counts
    event = await asyncio.wait_for(second, 30)
    assert event["verdict"] == "over"
