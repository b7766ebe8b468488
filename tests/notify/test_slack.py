"""The channel slack, with the real client against a local server."""

import json

import pytest
from slack_sdk import WebClient

from changewindow.notify.base import NotDelivered
from changewindow.notify.slack import Channel
from support.recording_server import RecordingServer

POST = "/api/chat.postMessage"


def channel(url: str) -> Channel:
    """Return Slack as the provider's hook would make it."""
    return Channel(WebClient("xoxb-of-the-test", base_url=f"{url}/api/", timeout=2))


def test_the_first_message_begins_the_thread_and_the_next_stands_in_it(server: RecordingServer) -> None:
    """All messages of a change are one thread."""
    server.answers[POST] = (200, json.dumps({"ok": True, "ts": "17.4"}))
    thread = channel(server.url).post("#deploys", "begins", None)
    assert channel(server.url).post("#deploys", "ends", thread) == "17.4"
    first, second = (json.loads(request.body) for request in server.requests)
    assert (first["channel"], first["text"], first.get("thread_ts")) == ("#deploys", "begins", None)
    assert second["thread_ts"] == "17.4"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        pytest.param(200, '{"ok": false, "error": "channel_not_found"}', id="an error of Slack's"),
        pytest.param(500, "down", id="Slack is down"),
        pytest.param(429, '{"ok": false, "error": "ratelimited"}', id="too many messages"),
        pytest.param(200, "<html>", id="garbage"),
    ],
)
def test_what_goes_wrong_is_not_delivered(server: RecordingServer, status: int, text: str) -> None:
    """Every way to fail is the one error that no change fails for."""
    server.answers[POST] = (status, text)
    with pytest.raises(NotDelivered):
        channel(server.url).post("#deploys", "text", None)


def test_a_message_calls_nobody_and_leads_nowhere_else(server: RecordingServer) -> None:
    """What a ticket says is text: no alarm for the whole channel, no link behind other words, no hidden sign."""
    server.answers[POST] = (200, json.dumps({"ok": True, "ts": "17.4"}))
    channel(server.url).post("#deploys", "<!channel> <https://evil|our wiki> <@U1> & \u202ereversed", None)
    (request,) = server.requests
    sent = json.loads(request.body)
    shown = r"&lt;!channel&gt; &lt;https://evil|our wiki&gt; &lt;@U1&gt; &amp; \u202ereversed"
    assert (sent["text"], sent["parse"], sent["unfurl_media"]) == (shown, "none", False)


def test_nobody_there_is_not_delivered() -> None:
    """A refused connection too."""
    with pytest.raises(NotDelivered):
        channel("http://127.0.0.1:1").post("#deploys", "text", None)
