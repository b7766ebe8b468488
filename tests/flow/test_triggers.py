"""The triggers: rebuilt from what they serialize, fire when due and not early, and refuse garbage."""

import asyncio
import importlib
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse
from pydantic import ValidationError

from changewindow.flow.airflow_connection import of_ticket_in_trigger
from changewindow.flow.triggerer.arguments import dump
from changewindow.flow.triggerer.services import services
from changewindow.flow.triggers import GoodTrigger, QuestionTrigger, WatchTrigger, WindowTrigger
from changewindow.ledger import changes, events, leases, watches
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Change
from changewindow.ticket.model import Condition
from changewindow.watch.watch import first_sample
from support.changes import NOW, approved, intent
from support.tickets import banner


def condition(file: Path) -> list[dict[str, Any]]:
    """Return a condition that is good when a file says 1."""
    source = {"kind": "command", "run": ["cat", str(file)]}
    return dump([Condition.model_validate({"name": "file", "source": source, "pass": {"equals": 1}})])


def watch(file: Path, **changed: Any) -> WatchTrigger:
    """Return a watch of a file, half a second long."""
    since = datetime.now(UTC).isoformat()
    pace = {
        "length": 0.5,
        "every": 0.2,
        "at_first": 0,
        "later": None,
        "unknown": "fail",
        "asked_until": None,
        "before": {},
    }
    of = {"change": "CHG-1001", "run": "run-1", "conditions": condition(file), "since": since}
    return WatchTrigger(**{**of, **pace, **changed})


async def fired(trigger: Any) -> dict[str, Any]:
    """Return what a trigger fires."""
    async for event in trigger.run():
        return dict(event.payload)
    raise AssertionError("the trigger ended without firing")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """Return a file that says 1."""
    file = tmp_path / "value"
    file.write_text("1\n")
    return file


def test_it_is_rebuilt_from_what_it_serializes(good: Path) -> None:
    """A triggerer that takes over gets the same trigger."""
    trigger = watch(good)
    path, arguments = trigger.serialize()
    module, _, name = path.rpartition(".")
    again = getattr(importlib.import_module(module), name)(**arguments)
    assert again.serialize() == trigger.serialize()


def test_garbage_is_refused_at_once(good: Path) -> None:
    """A condition that is none does not wait for the triggerer to be found out."""
    with pytest.raises(ValidationError):
        watch(good, conditions=[{"name": "no source"}])


async def test_a_watch_does_not_pass_before_its_end(good: Path) -> None:
    """Good readings are not enough: the whole length is watched."""
    started = datetime.now(UTC)
    event = await fired(watch(good, length=1.5))
    assert event["verdict"] == "pass"
    assert datetime.now(UTC) - started >= timedelta(seconds=1.5)


async def test_a_breach_fires_at_once_with_its_reading(good: Path) -> None:
    """The event says what was measured, and does not wait for the end of the watch."""
    good.write_text("7\n")
    event = await fired(watch(good, length=600))
    assert (event["verdict"], event["samples"]) == ("fail", 1)
    assert event["readings"][0]["value"] == 7


@pytest.mark.parametrize("every", [5, 300])
async def test_a_watch_that_begins_late_reads_at_once(good: Path, every: int) -> None:
    """An applied change is not left unread for longer than an interval, however long its watch was on its way."""
    good.write_text("7\n")
    due = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    event = await asyncio.wait_for(fired(watch(good, length=600, every=every, first_by=due)), 60)
    assert (event["verdict"], event["samples"]) == ("fail", 1)


@pytest.fixture
def asked_ledger(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Return the ledger that triggers ask."""
    fields = {"conn_type": "sqlite", "host": str(ledger.url.database)}
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps(fields))
    return ledger


async def test_an_abort_ends_a_watch_at_once(asked_ledger: Ledger, good: Path) -> None:
    """A person's word counts within a second or two, whatever is read."""
    record = approved(asked_ledger, banner())
    leases.start(asked_ledger, record.change, intent(record.digest), targets=("production/orders",), now=NOW)
    firing = asyncio.create_task(fired(watch(good, length=600, change=record.change)))
    done, _ = await asyncio.wait([firing], timeout=1.5)
    assert not done
    changes.abort(asked_ledger, record.change, person="dora", reason="smoke", now=NOW)
    event = await asyncio.wait_for(firing, 60)
    assert (event["verdict"], event["reason"]) == ("fail", "aborted by dora: smoke")


async def stopped(trigger: WatchTrigger, samples: int) -> None:
    """Let a watch take some samples, and end its process as a new version of the triggerer does."""
    task = asyncio.create_task(fired(trigger))
    while trigger.progress is None or trigger.progress.samples < samples:  # noqa: ASYNC110 - another task counts
        await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await services().progress.write()


def bad_twice(file: Path, **tolerate: int) -> list[dict[str, Any]]:
    """Return a condition that takes back at the second bad reading in a row."""
    return [{**condition(file)[0], "failures": 2, "tolerate": tolerate}]


async def test_the_next_triggerer_goes_on_with_the_counts(asked_ledger: Ledger, good: Path) -> None:
    """One bad reading before it died and one after are two in a row."""
    record = approved(asked_ledger, banner())
    good.write_text("7\n")
    asked = {"change": record.change, "length": 600, "conditions": bad_twice(good)}
    since = datetime.now(UTC).isoformat()
    await stopped(watch(good, since=since, **asked, every=5), 1)
    event = await asyncio.wait_for(fired(watch(good, since=since, **asked)), 60)
    assert (event["verdict"], event["samples"]) == ("fail", 2)
    assert "2 in a row, 1 allowed" in event["reason"]
    read = [events.data(event) for event in events.history(asked_ledger, record.change) if event.kind == "read"]
    assert [reading["sample"] for event in read for reading in event["readings"]] == [1, 2]


async def test_a_trigger_goes_on_from_the_first_sample_of_the_task(asked_ledger: Ledger, good: Path) -> None:
    """Its count counts; what Airflow took until the trigger ran is no gap, and the next sample is taken when due."""
    record = approved(asked_ledger, banner())
    good.write_text("7\n")
    since = datetime.now(UTC).isoformat()
    asked = {
        "change": record.change,
        "length": 600,
        "conditions": bad_twice(good, no_data=0),
        "every": 1,
        "since": since,
    }
    progress, decided = await first_sample(watch(good, **asked, first_by=since).soon(), of_ticket_in_trigger, log=print)
    assert decided is None
    watches.keep(asked_ledger, [watches.Kept(record.change, "run-1", progress, datetime.now(UTC))])
    await asyncio.sleep(1.5)
    began = datetime.now(UTC)
    event = await asyncio.wait_for(fired(watch(good, **asked)), 60)
    assert (event["verdict"], event["samples"]) == ("fail", 2)
    assert "2 in a row, 1 allowed" in event["reason"]
    assert datetime.fromisoformat(event["readings"][0]["at"]) - began < timedelta(seconds=0.5)


async def test_the_next_triggerer_goes_on_with_the_time(asked_ledger: Ledger, good: Path) -> None:
    """What was watched is not watched again."""
    record = approved(asked_ledger, banner())
    first = watch(good, change=record.change, length=2)
    await stopped(first, 5)
    second = watch(good, change=record.change, length=2, since=first.arguments.since.isoformat())
    event = await asyncio.wait_for(fired(second), 60)
    assert first.progress is not None
    assert second.progress is not None
    assert (event["verdict"], second.progress.over) == ("pass", first.progress.over)


async def test_what_nobody_read_is_missing_data(asked_ledger: Ledger, good: Path) -> None:
    """A gap that the ticket does not tolerate takes the change back, good as all readings are."""
    record = approved(asked_ledger, banner())
    asked = {"change": record.change, "length": 600, "conditions": bad_twice(good, no_data=0)}
    since = datetime.now(UTC).isoformat()
    await stopped(watch(good, since=since, **asked), 1)
    await asyncio.sleep(0.5)
    event = await asyncio.wait_for(fired(watch(good, since=since, **asked)), 60)
    assert event["verdict"] == "fail"
    assert "no_data, no sample was taken for" in event["reason"]


async def test_a_watch_that_is_asked_for_again_begins_anew(asked_ledger: Ledger, good: Path) -> None:
    """Clearing the task reads again: what an earlier watch of the run found is no verdict on this one."""
    record = approved(asked_ledger, banner())
    good.write_text("7\n")
    assert (await fired(watch(good, change=record.change)))["verdict"] == "fail"
    good.write_text("1\n")
    assert (await fired(watch(good, change=record.change)))["verdict"] == "pass"


async def test_a_person_is_asked_while_the_watch_goes_on(asked_ledger: Ledger, good: Path) -> None:
    """The first trigger asks; the one after it reads on, and takes back what turns out to be bad."""
    record = approved(asked_ledger, banner())
    good.unlink()
    asked = {"change": record.change, "length": 600, "unknown": "ask", "since": datetime.now(UTC).isoformat()}
    assert (await fired(watch(good, **asked)))["verdict"] == "ask"
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    firing = asyncio.create_task(fired(watch(good, **asked, asked_until=later)))
    done, _ = await asyncio.wait([firing], timeout=1.5)
    assert not done
    good.write_text("7\n")
    assert (await asyncio.wait_for(firing, 60))["verdict"] == "fail"


async def test_without_an_answer_the_change_is_taken_back(asked_ledger: Ledger, good: Path) -> None:
    """When the time to answer is over, and still nothing is known."""
    record = approved(asked_ledger, banner())
    good.unlink()
    until = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    event = await asyncio.wait_for(
        fired(watch(good, change=record.change, length=600, unknown="ask", asked_until=until)), 10
    )
    assert event["verdict"] == "fail"
    assert event["reason"].endswith("nobody answered in time")


async def test_a_watch_that_nobody_waits_for_stops_reading(asked_ledger: Ledger, good: Path) -> None:
    """Its run was deleted, for example: nothing goes on alone."""
    record = approved(asked_ledger, banner())
    trigger = watch(good, change=record.change, length=600)
    await stopped(trigger, 1)
    assert trigger.progress is not None
    samples = trigger.progress.samples
    await asyncio.sleep(0.5)
    assert trigger.progress.samples == samples


async def test_a_window_that_is_waited_for_ends_when_the_change_is_cancelled(asked_ledger: Ledger) -> None:
    """Nobody has to wait for the window to see the end of a change that will not run."""
    record = approved(asked_ledger, banner())
    opens = datetime.now(UTC) + timedelta(hours=1)
    waiting = WindowTrigger(change=record.change, opens=opens.isoformat())
    changes.cancel(asked_ledger, record.change, person="alice", reason="never mind", now=datetime.now(UTC))
    event = await asyncio.wait_for(fired(waiting), 60)
    assert event["reason"] == "cancelled by alice: never mind"


async def test_a_window_opens_on_time(asked_ledger: Ledger) -> None:
    """Not early, and without a word from anybody."""
    opens = datetime.now(UTC) + timedelta(seconds=1.5)
    event = await fired(WindowTrigger(change="CHG-1001", opens=opens.isoformat()))
    assert event["verdict"] == "pass"
    assert datetime.now(UTC) >= opens


async def test_a_connection_that_airflow_does_not_tell_is_a_source_out_of_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A watch counts it as an error, and goes on."""

    async def silent(name: str) -> Any:
        raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"connection": name}))

    monkeypatch.setattr(BaseHook, "aget_connection", silent)
    source = {"kind": "http", "connection": "orders", "path": "/", "read": "status"}
    condition = Condition.model_validate({"name": "it", "source": source, "pass": {"equals": 200}})
    deadline = datetime.now(UTC).isoformat()
    event = await fired(
        GoodTrigger(conditions=dump([condition]), before={}, asker=None, every=0.1, settle=0.0, deadline=deadline)
    )
    assert event["verdict"] == "fail"
    assert "(unreachable) Airflow does not tell the connection 'orders'" in event["reason"]


async def test_waiting_for_good_gives_up_at_its_deadline(good: Path) -> None:
    """A check that stays bad fires with its reason."""
    good.write_text("0\n")
    deadline = (datetime.now(UTC) + timedelta(seconds=1.5)).isoformat()
    event = await fired(
        GoodTrigger(conditions=condition(good), every=0.2, deadline=deadline, before={}, asker=None, settle=0.0)
    )
    assert event["verdict"] == "fail"
    assert "file = 0" in event["reason"]


PART = {"run": "run-1", "digest": ""}


@pytest.mark.parametrize(
    ("status", "run", "verdict", "reason"),
    [
        pytest.param("approved", None, "pass", "the window is open", id="it waits"),
        pytest.param("running", "run-1", "pass", "the window is open", id="this run acts"),
        pytest.param("running", "by_hand", "over", "it acts already, by its run by_hand", id="another run acts"),
        pytest.param(
            "completed", "by_hand", "over", "it is closed: completed, by its run by_hand", id="another run completed it"
        ),
        pytest.param("missed", None, "over", "it is closed: missed", id="it was missed"),
    ],
)
async def test_a_run_without_a_part_in_its_change_waits_no_longer(
    asked_ledger: Ledger, *, status: str, run: str | None, verdict: str, reason: str
) -> None:
    """Whatever it waits for, it ends within moments."""
    submitted = approved(asked_ledger, banner())
    with asked_ledger.transaction() as session:
        row = session.get(Change, int(submitted.change.removeprefix("CHG-")))
        assert row is not None
        row.status, row.run = status, run
    opens = datetime.now(UTC) + timedelta(seconds=3)
    part = {**PART, "digest": submitted.digest}
    event = await fired(WindowTrigger(change=submitted.change, part=part, opens=opens))
    assert event["verdict"] == verdict
    assert reason in event["reason"]


async def test_a_run_for_the_text_before_waits_no_longer(asked_ledger: Ledger) -> None:
    """The newer one has runs of its own."""
    submitted = approved(asked_ledger, banner())
    opens = datetime.now(UTC) + timedelta(minutes=9)
    waiting = asyncio.create_task(
        fired(WindowTrigger(change=submitted.change, part={**PART, "digest": "d"}, opens=opens))
    )
    event = await asyncio.wait_for(waiting, 10)
    assert (event["verdict"], "has another text or window by now" in event["reason"]) == ("over", True)
    assert not services().aborts.waiting


@pytest.mark.parametrize("comes_first", [True, False], ids=["an answer that came at once", "no answer"])
async def test_a_question_is_asked_until_its_deadline(monkeypatch: pytest.MonkeyPatch, *, comes_first: bool) -> None:
    """An answer wakes the task by itself, but for one that came before the task was parked."""
    user = {"id": "alice", "name": "alice"}
    given = {"response_received": comes_first, "chosen_options": ["yes"], "params_input": {}, "responded_at": NOW}
    answer = SimpleNamespace(**given, responded_by_user=user)
    monkeypatch.setattr("changewindow.flow.triggerer.answers.get_hitl_detail_content_detail", lambda **_: answer)
    deadline = datetime.now(UTC) + timedelta(seconds=1.5)
    event = await fired(QuestionTrigger(asks="018f3c1e-0000-7000-8000-000000000000", deadline=deadline))
    if comes_first:
        assert (event["chosen_options"], event["responded_by_user"]) == (["yes"], user)
    else:
        assert event["error_type"] == "timeout"
