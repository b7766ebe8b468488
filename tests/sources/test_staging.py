"""The source staging: how long the same steps have stayed good elsewhere, by a real ledger."""

from datetime import timedelta
from typing import Any

import pytest

from changewindow.ledger import changes
from changewindow.ledger.database import Ledger
from changewindow.policy.outcome import Outcome
from changewindow.settings import LEDGER_CONNECTION
from changewindow.sources.staging import EXAMPLE
from changewindow.systems.connection import Connection
from changewindow.watch.reading import Reading
from source_fixtures.staging import CALL, STEP, begun, ended, now, ticket
from support.ask_source import asked


async def hours_of(ledger: Ledger, data: dict[str, Any] | None = None, **fields: Any) -> Reading:
    """Return the reading of a change for production."""
    change = changes.submit(ledger, data or ticket("production"), requester="alice", now=now()).change
    known = Connection(LEDGER_CONNECTION, "sqlite", host=str(ledger.url.database))
    return await asked({**EXAMPLE, **fields}, known, change=change, good={"above": 24})


async def test_the_hours_since_the_same_steps_completed(ledger: Ledger) -> None:
    """The condition says how many are enough."""
    change = ended(ledger, ticket("staging"), 30)
    reading = await hours_of(ledger)
    assert reading.verdict == "pass"
    assert reading.value == pytest.approx(30, abs=0.1)
    assert reading.detail == f"minimum 24 ({change} completed there)"


async def test_too_few_hours_are_not_enough(ledger: Ledger) -> None:
    """An hour of soak is no day."""
    ended(ledger, ticket("staging"), 1)
    assert (await hours_of(ledger)).verdict == "fail"


ELSEWHERE = {**STEP, "connection": "staging_config", "name": "Deploy to staging"}
OTHER_UNDO = {**CALL, "undo": {"path": "/other", "body": {"on": False}}}


@pytest.mark.parametrize(
    ("tried", "but"),
    [
        pytest.param(ticket("staging", ELSEWHERE, CALL), ["connection"], id="another connection and name"),
        pytest.param(ticket("staging", STEP, OTHER_UNDO), ["connection", "undo.path"], id="a field inside of a field"),
        pytest.param(ticket("staging", {**STEP, "merge": "release/v2"}, CALL), [], id="the value without parameter"),
        pytest.param(ticket("staging", services=("billing", "orders")), [], id="more services"),
    ],
)
async def test_the_same_steps(ledger: Ledger, tried: dict[str, Any], but: list[str]) -> None:
    """What does not matter may differ."""
    ended(ledger, tried, 30)
    assert (await hours_of(ledger, but=but)).verdict == "pass"


NONE = "no change of orders with these steps has completed in staging"
REMEDY = ". Do it there first, or name under `but` which fields may differ."


@pytest.mark.parametrize(
    ("tried", "but", "message"),
    [
        pytest.param(ticket("staging", version="v1"), [], "steps.0.merge", id="another version"),
        pytest.param(ticket("staging", ELSEWHERE, CALL), [], "steps.0.connection", id="a connection that may not"),
        pytest.param(ticket("staging", STEP), ["connection"], "steps", id="a step was missing"),
        pytest.param(ticket("staging", {**STEP, "timeout": "1m"}, CALL), [], "steps.0.timeout", id="a field more"),
        pytest.param(ticket("staging", STEP, OTHER_UNDO), ["connection"], "steps.1.undo.path", id="another way back"),
        pytest.param(ticket("staging", STEP, {**CALL, "body": {"on": 1}}), [], "steps.1.body.on", id="1 is not true"),
    ],
)
async def test_other_steps_prove_nothing(ledger: Ledger, tried: dict[str, Any], but: list[str], message: str) -> None:
    """The first difference is named."""
    change = ended(ledger, tried, 30)
    reading = await hours_of(ledger, but=but)
    assert reading.cause == "no_data"
    assert reading.detail == f"{NONE}; {change}, the newest there, differs in {message}{REMEDY}"


async def test_what_counts_is_what_was_chosen_there(ledger: Ledger) -> None:
    """A run by hand may have had another approved value than the scheduled one."""
    change = ended(ledger, ticket("staging"), 30, version="v1")
    assert f"{change}, the newest there, differs in steps.0.merge" in (await hours_of(ledger)).detail
    ended(ledger, ticket("staging", version="v1"), 20, version="v2")
    assert (await hours_of(ledger)).verdict == "fail"


async def test_nothing_was_tried(ledger: Ledger) -> None:
    """Neither what only waits, nor what ran in another environment or for another service."""
    changes.submit(ledger, ticket("staging"), requester="alice", now=now())
    ended(ledger, ticket("test"), 30)
    ended(ledger, ticket("staging", services=("billing",)), 30)
    reading = await hours_of(ledger)
    assert (reading.cause, reading.detail) == ("no_data", NONE + REMEDY)


async def test_a_service_that_was_left_out_is_not_proven(ledger: Ledger) -> None:
    """Both services are asked, one was tried."""
    change = ended(ledger, ticket("staging"), 30)
    reading = await hours_of(ledger, ticket("production", services=("billing", "orders")))
    assert f"{change}, the newest there, differs in services" in reading.detail


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ("rolled_back", "{} did the same there last, and was rolled back: p99 too high. Have it complete first."),
        (
            "rollback_failed",
            "{} did the same there last, and could not be rolled back: p99 too high. Have it complete first.",
        ),
    ],
)
async def test_what_was_taken_back_last_is_not_good(ledger: Ledger, outcome: Outcome, message: str) -> None:
    """Though it completed once before."""
    ended(ledger, ticket("staging"), 50)
    change = ended(ledger, ticket("staging"), 30, outcome)
    reading = await hours_of(ledger)
    assert (reading.cause, reading.detail) == ("no_data", message.format(change))


async def test_what_is_taken_back_later_is_not_good_any_more(ledger: Ledger) -> None:
    """A completed change may still be rolled back by hand, with a run of its own."""
    change = ended(ledger, ticket("staging"), 30)
    changes.close(ledger, change, run="by hand", outcome="rolled_back", reason="slow", now=now() - timedelta(hours=2))
    assert (await hours_of(ledger)).detail.startswith(f"{change} did the same there last, and was rolled back: slow")


async def test_what_acts_right_now_is_not_known(ledger: Ledger) -> None:
    """It may still fail."""
    ended(ledger, ticket("staging"), 30)
    change = begun(ledger, ticket("staging"), 0.1)
    assert (
        await hours_of(ledger)
    ).detail == f"{change} did the same there last, and acts right now. Have it complete first."


async def test_the_hours_end_when_the_next_change_acts_there(ledger: Ledger) -> None:
    """After that, nobody knows how the first one would have done."""
    ended(ledger, ticket("staging"), 30)
    ended(ledger, ticket("staging", version="v1"), 20)
    ended(ledger, ticket("staging", version="v0"), 10)
    assert (await hours_of(ledger)).value == pytest.approx(9.9, abs=0.1)


async def test_a_change_does_not_prove_itself(ledger: Ledger) -> None:
    """The environment must be another one."""
    reading = await hours_of(ledger, ticket("staging"))
    assert reading.cause == "invalid"
    assert reading.detail.endswith("itself is for staging; name the environment before it")


async def test_without_a_change_there_is_nothing_to_compare(ledger: Ledger) -> None:
    """A ticket that is only looked at has no place in the ledger."""
    reading = await asked(EXAMPLE, Connection(LEDGER_CONNECTION, "sqlite", host=str(ledger.url.database)))
    assert (reading.cause, reading.detail) == (
        "invalid",
        "only a change in the ledger can be compared with what ran before",
    )


async def test_a_ledger_that_is_down_is_unreachable() -> None:
    """Never good."""
    nowhere = Connection(LEDGER_CONNECTION, "sqlite", host="/nowhere/ledger.db")
    reading = await asked(EXAMPLE, nowhere, change="CHG-1001")
    assert reading.cause == "unreachable"
    assert reading.detail.startswith("The ledger does not answer: ")
