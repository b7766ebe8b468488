"""The channel apprise: several services at once, none of whose addresses is shown."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from changewindow.errors import ChangeError
from changewindow.notify.apprise import Channel
from changewindow.notify.base import Message, NotDelivered, Tools, WayOn
from changewindow.systems.connection import Connection
from support.recording_server import RecordingServer, Reply, recording_server

NOW = datetime(2031, 3, 18, 3, 12, 10, tzinfo=UTC)
MESSAGE = Message("❌ FAILED CHG-1\np99 900 ms, limit 200 ms", NOW, "CHG-1/7")
CHANNEL = Channel(connection="on_call")


@pytest.fixture
def services() -> Iterator[list[RecordingServer]]:
    """Serve two of them."""
    with ExitStack() as stack:
        yield [stack.enter_context(recording_server((200, ""))) for _ in range(2)]


def post(*addresses: str, within: float = 60) -> None:
    """Send the message to addresses."""
    known = Connection("on_call", "generic", password="\n".join(addresses))
    CHANNEL.post(Tools(lambda _: known, now=lambda: NOW, within=within), "#deploys", MESSAGE, is_loud=True)


def address(server: RecordingServer, path: str = "token") -> str:
    """Return the address of a service, in Apprise's words."""
    return f"json://127.0.0.1:{server.port}/{path}?redirect=yes"


def test_all_have_it_as_title_and_text(services: list[RecordingServer]) -> None:
    """And as a warning, where it is loud."""
    post(*map(address, services))
    for service in services:
        (request,) = service.requests
        body = json.loads(request.body)
        assert (body["title"], body["message"]) == ("❌ FAILED CHG-1", "p99 900 ms, limit 200 ms")
        assert body["type"] == "warning"


def test_who_missed_it_is_named_and_nobody_has_it_twice(
    services: list[RecordingServer], caplog: pytest.LogCaptureFixture
) -> None:
    """By line and schema; no address stands in the log."""
    services[1].otherwise = (403, "secret-2")
    post(address(services[0], "secret-1"), address(services[1], "secret-2"), "nosuch://secret-3", "secret-4")
    assert len(services[0].requests) == 1
    missed = "line 2 (json) answered 403; line 3 (nosuch) is no address that Apprise can use; line 4 is no address"
    assert missed in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("answers", "way_on", "is_refused"),
    [
        pytest.param((Reply(401), Reply(404)), WayOn.BY_HAND, True, id="neither knows us"),
        pytest.param((Reply(401), Reply(503)), WayOn.LATER, False, id="one is down"),
        pytest.param((Reply(delay=60), Reply(delay=60)), WayOn.LATER, False, id="both hang"),
        pytest.param((Reply(302), Reply(302)), WayOn.BY_HAND, True, id="both lead elsewhere"),
    ],
)
def test_nobody_has_it(
    services: list[RecordingServer], answers: tuple[Reply, Reply], way_on: WayOn, *, is_refused: bool
) -> None:
    """It is tried again where that may help."""
    for service, answer in zip(services, answers, strict=True):
        service.otherwise = answer
    with pytest.raises(NotDelivered, match=r"nobody of 'on_call' has it: line 1 \(json\).*line 2 \(json\)") as failed:
        post(*map(address, services), within=0.5 if answers[0].delay else 60)
    assert (failed.value.way_on, failed.value.is_refused) == (way_on, is_refused)
    assert "token" not in str(failed.value)
    assert answers[0].delay or [len(service.requests) for service in services] == [1, 1]


@pytest.mark.parametrize("number", [0, 21])
def test_none_and_too_many_are_refused(number: int) -> None:
    """Before anything is sent."""
    with pytest.raises(ChangeError, match="write 1 to 20 of them"):
        post(*["json://127.0.0.1:1/"] * number)
