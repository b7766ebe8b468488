"""Requests of steps: no reply takes longer, or more memory, than it may."""

import gzip
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from changewindow.errors import StepFailed
from changewindow.systems.http.exchange import LARGEST, Replied, Request
from support.recording_server import RecordingServer, Reply

MIB = 1 << 20


def test_a_reply_that_never_ends_is_given_up_in_time(server: RecordingServer) -> None:
    """It sends a byte now and then, so that it is never silent for long."""

    def drips() -> Iterator[bytes]:
        for _ in range(600):
            time.sleep(0.1)
            yield b"."

    server.otherwise = Reply(200, drips())
    began = time.monotonic()
    with pytest.raises(StepFailed, match=r"got no whole reply within 0\.5 s\. Is the service up"):
        Request("PUT", f"{server.url}/flag", within=0.5).send()
    assert time.monotonic() - began < 30


def test_a_reply_of_400_mib_is_not_taken_into_memory(server: RecordingServer) -> None:
    """It took more than a gigabyte; what the request did stays done, and the step says so."""
    server.otherwise = Reply(200, (bytes(MIB) for _ in range(400)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(StepFailed, match="answered 200 with more than 16 MiB, which is not read"):
        Request("PUT", f"{server.url}/flag").send()
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 8 * LARGEST


def test_a_small_reply_that_unpacks_to_a_large_one_is_not_taken_either(server: RecordingServer) -> None:
    """Some kilobytes of gzip are some gigabytes of zeros."""
    bomb = gzip.compress(bytes(200 * MIB))
    server.otherwise = Reply(200, bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(StepFailed, match="with more than 16 MiB"):
        Request("GET", f"{server.url}/flag").send()


def test_a_reply_in_its_own_encoding_is_read_in_it(server: RecordingServer) -> None:
    """Without one it is that of JSON; one that nobody knows too."""
    for kind, sent in (
        ("text/plain; charset=latin-1", "latin-1"),
        ("text/plain", "utf-8"),
        ("a/b; charset=x", "utf-8"),
    ):
        server.otherwise = Reply(200, "größe".encode(sent), headers={"Content-Type": kind})
        assert Request("GET", server.url).send().text == "größe"


@pytest.mark.parametrize(
    ("wanted", "seconds"),
    [
        pytest.param("7", 7, id="seconds"),
        pytest.param("Tue, 18 Mar 2031 14:00:30 GMT", 30, id="a moment"),
        pytest.param("Tue, 18 Mar 2031 13:00:00 GMT", 0, id="a moment that is over"),
        pytest.param("99999999", 3600, id="for ever"),
        pytest.param("soon", 0, id="garbage"),
        pytest.param("", 0, id="nothing"),
    ],
)
def test_how_long_a_server_wants_to_be_left_alone(wanted: str, seconds: int) -> None:
    """As its reply says, and no longer than an hour."""
    now = datetime(2031, 3, 18, 14, tzinfo=UTC)
    assert Replied(429, "", {"retry-after": wanted}).wanted_quiet(now) == timedelta(seconds=seconds)


def test_a_secret_address_stands_neither_in_errors_nor_in_logs(
    server: RecordingServer, caplog: pytest.LogCaptureFixture
) -> None:
    """What stands for it does."""
    caplog.set_level("DEBUG")
    assert Request("POST", f"{server.url}/secret", b"{}", shown_as="the hook").send().status == 404
    server.otherwise = Reply(is_lost=True)
    with pytest.raises(StepFailed, match="POST the hook got no reply") as failed:
        Request("POST", f"{server.url}/secret", b"{}", shown_as="the hook").send()
    assert "secret" not in f"{failed.value} {caplog.text}"
