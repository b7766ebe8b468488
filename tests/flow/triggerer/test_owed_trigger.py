"""The trigger of a question for a retroactive approval: it fires once there is no point in an answer."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from changewindow.flow.triggerer import answers, owed_trigger
from changewindow.flow.triggerer.arguments import OwedArguments
from changewindow.flow.triggerer.owed_trigger import OwedTrigger
from changewindow.ledger import aftercare, records
from changewindow.ledger.aftercare import Word
from changewindow.ledger.database import Ledger
from changewindow.policy.emergencies import Emergencies
from support.changes import NOW
from support.manual_changes import manual


@pytest.fixture
def change(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a record that alice has told, whose question nobody has answered yet."""
    fields = {"conn_type": "sqlite", "host": str(ledger.url.database)}
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps(fields))
    unanswered = SimpleNamespace(response_received=False)
    monkeypatch.setattr(answers, "get_hitl_detail_content_detail", lambda **_: unanswered)
    monkeypatch.setattr(owed_trigger, "EVERY", 0.1)
    return records.enter(
        ledger, manual("ls"), {}, person="alice", now=NOW, owes=Emergencies().deadlines(datetime.now(UTC))
    ).change


async def fired(change: str, seconds: float) -> dict[str, Any]:
    """Return what it fires, serialized and rebuilt as Airflow does."""
    deadline = datetime.now(UTC) + timedelta(seconds=seconds)
    asks: Any = "018f3c1e-0000-7000-8000-000000000000"
    arguments = OwedArguments(asks=asks, owes=change, deadline=deadline)
    path, kept = OwedTrigger.of(arguments).serialize()
    assert path == "changewindow.flow.triggerer.owed_trigger.OwedTrigger"
    async for event in OwedTrigger(**json.loads(json.dumps(kept))).run():
        return dict(event.payload)
    raise AssertionError("the trigger ended without firing")


async def test_it_waits_while_the_approval_is_owed(change: str) -> None:
    """Until its deadline; nothing is decided by that."""
    assert (await fired(change, 1.5))["error_type"] == "timeout"


async def test_it_is_over_once_somebody_has_settled_it(ledger: Ledger, change: str) -> None:
    """In another run of the question, for example."""
    owed = aftercare.of_change(ledger, change)
    assert owed is not None
    aftercare.decide(ledger, change, Word("bob", owed.digest, is_yes=True), people=(), now=NOW)
    assert (await fired(change, 600))["verdict"] == "over"
