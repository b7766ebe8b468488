"""The marker webhook: signed after the Standard Webhooks specification."""

from collections.abc import Iterator

import pytest

from changewindow.errors import ChangeError
from changewindow.systems.webhook_signature import keys_of, signature
from servers.marker_apis import SECRET, Tool, telling
from support.marked import BEGAN, ROLLING_BACK, ended, tell

SETTINGS = {"kind": "webhook", "connection": "tool", "path": "/hooks/changes?from=cw"}
OTHER = "whsec_" + "B" * 40


@pytest.fixture
def receiver() -> Iterator[Tool]:
    """Serve somebody who verifies what comes."""
    with telling("webhook") as tool:
        yield tool


def test_it_signs_as_the_libraries_of_the_specification_expect() -> None:
    """This is the example of the tests of those libraries."""
    signed = b'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}'
    [key] = keys_of(Tool("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", lambda *_: (200, None)).connection())
    assert signature(key, signed) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_a_receiver_gets_all_that_is_known(receiver: Tool) -> None:
    """The same that `kinds webhook` describes."""
    identity = await tell(SETTINGS, ended("rolled_back"), receiver.connection())
    assert receiver.entries[str(identity)] == {
        "type": "change.ended",
        "timestamp": "2031-03-18T14:10:00+00:00",
        "data": {
            "change": "CHG-1042",
            "run": "scheduled__2031-03-18T14:00:00+00:00",
            "summary": "Switch the banner on.",
            "services": ["orders", "catalogue"],
            "environment": "production",
            "outcome": "rolled_back",
            "reason": "p99 latency: 900 ms, limit 200 ms",
            "began": "2031-03-18T14:00:00+00:00",
            "ended": "2031-03-18T14:10:00+00:00",
        },
    }
    (request,) = receiver.server.requests
    assert (request.target, request.headers["Content-Type"]) == ("/hooks/changes?from=cw", "application/json")


async def test_each_moment_has_an_id_of_its_own(receiver: Tool) -> None:
    """A receiver that leaves out what it knows leaves out nothing else."""
    for moment in (BEGAN, ended("completed"), ROLLING_BACK, ended("rolled_back", before=ROLLING_BACK)):
        await tell(SETTINGS, moment, receiver.connection())
    assert len(receiver.entries) == 4


async def test_while_a_secret_is_replaced_both_sign(receiver: Tool) -> None:
    """The receiver has either of them."""
    await tell(SETTINGS, BEGAN, receiver.connection(password=f"{OTHER} {SECRET}\n"))
    assert len(receiver.entries) == 1
    assert receiver.server.requests[0].headers["webhook-signature"].count("v1,") == 2


@pytest.mark.parametrize(
    "password",
    [
        pytest.param("", id="none"),
        pytest.param("hunter2", id="something else"),
        pytest.param(SECRET.removeprefix("whsec_"), id="without its prefix"),
        pytest.param("whsec_c2hvcnQ=", id="too short to be safe"),
        pytest.param("whsec_" + "A" * 100, id="too long"),
        pytest.param("whsec_not*base64*at*all*not*base64*at*all", id="no base64"),
        pytest.param(f"{SECRET} hunter2", id="only one of two"),
    ],
)
async def test_nothing_goes_out_unsigned(receiver: Tool, password: str) -> None:
    """What cannot sign is named, with how to make what can."""
    with pytest.raises(ChangeError) as failed:
        await tell(SETTINGS, BEGAN, receiver.connection(password=password))
    assert "openssl rand -base64 32" in str(failed.value)
    assert "hunter2" not in str(failed.value)
    assert receiver.server.requests == []
