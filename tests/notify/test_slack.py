"""The channel slack, with the real client against a local server."""

import json
from datetime import UTC, datetime

import pytest

from changewindow.notify.base import Message, NotDelivered, Reference, Tools
from changewindow.notify.slack import Channel
from changewindow.systems.connection import Connection
from support.recording_server import RecordingServer

POST = "/api/chat.postMessage"
NOW = datetime.now(UTC)


def tools(url: str) -> Tools:
    """Return what the channel may use: Slack is at that address."""
    slack = Connection("slack_api_default", "slack", password="xoxb-of-the-test", extra={"base_url": f"{url}/api/"})
    return Tools(lambda _: slack, within=2)


def test_the_first_message_begins_the_thread_and_the_next_stands_in_it(server: RecordingServer) -> None:
    """All messages of a change are one thread."""
    server.answers[POST] = (200, json.dumps({"ok": True, "ts": "17.4", "channel": "C1"}))
    first = Channel().post(tools(server.url), "#deploys", Message("begins", NOW))
    Channel().post(tools(server.url), "#deploys", Message("ends", NOW), below=first, is_loud=True)
    begins, ends = (json.loads(request.body) for request in server.requests)
    assert (first, begins["channel"], begins["text"]) == (Reference("C1", "17.4"), "#deploys", "begins")
    assert (ends["channel"], ends["thread_ts"], ends["reply_broadcast"]) == ("C1", "17.4", True)


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
        Channel().post(tools(server.url), "#deploys", Message("text", NOW))


def test_a_message_calls_nobody_and_leads_nowhere_else(server: RecordingServer) -> None:
    """What a ticket says is text: no alarm for the whole channel, no link behind other words, no hidden sign."""
    server.answers[POST] = (200, json.dumps({"ok": True, "ts": "17.4"}))
    text = "<!channel> <https://evil|our wiki> <@U1> & \u202ereversed"
    Channel().post(tools(server.url), "#deploys", Message(text, NOW))
    (request,) = server.requests
    sent = json.loads(request.body)
    shown = r"&lt;!channel&gt; &lt;https://evil|our wiki&gt; &lt;@U1&gt; &amp; \u202ereversed"
    assert (sent["text"], sent["parse"], sent["unfurl_media"]) == (shown, "none", False)


def test_nobody_there_is_not_delivered() -> None:
    """A refused connection too."""
    with pytest.raises(NotDelivered):
        Channel().post(tools("http://127.0.0.1:1"), "#deploys", Message("text", NOW))
