"""The Slack of the tests answers the real client as Slack's documentation has it."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from servers.slack import Slack, slack

BUTTON = {"type": "button", "action_id": "approve", "value": "v", "text": {"type": "plain_text", "text": "Approve"}}


@pytest.fixture
def service() -> Iterator[Slack]:
    """Run a Slack."""
    with slack() as running:
        yield running


def client(service: Slack) -> WebClient:
    """Return the real client, which never tries again by itself."""
    return WebClient(service.token, base_url=f"{service.url}/api/", timeout=5, retry_handlers=[])


def section(text: str) -> dict[str, Any]:
    """Return a block with a text."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def refusal(ask: Callable[[], Any]) -> Any:
    """Return Slack's answer to what it refuses."""
    with pytest.raises(SlackApiError) as error:
        ask()
    return error.value.response


def test_a_message_is_posted_answered_updated_and_found(service: Slack) -> None:
    """Threads, broadcasts, metadata and pages are as they are in Slack."""
    room, web = service.room("deploys"), client(service)
    metadata = {"event_type": "changewindow", "event_payload": {"key": "CHG-1"}}
    first = web.chat_postMessage(channel="#deploys", text="one", blocks=[section("*one*")], metadata=metadata)
    web.chat_postMessage(channel=room.id, text="below", thread_ts=first["ts"])
    web.chat_postMessage(channel=room.id, text="loud", thread_ts=first["ts"], reply_broadcast=True)
    web.chat_update(channel=room.id, ts=first["ts"], text="two")
    (top,) = room.top
    assert (top.text, top.blocks, top.key, top.versions) == ("two", [], "CHG-1", ["one", "two"])
    assert [reply.text for reply in room.replies(top)] == ["below", "loud"]
    page = web.conversations_history(channel=room.id, limit=1, include_all_metadata=True)
    assert (page["messages"][0]["text"], page["has_more"]) == ("loud", True)
    page = web.conversations_history(
        channel=room.id, limit=1, include_all_metadata=True, cursor=page["response_metadata"]["next_cursor"]
    )
    assert (page["messages"][0]["metadata"], page["has_more"]) == (metadata, False)
    thread = web.conversations_replies(channel=room.id, ts=first["ts"], oldest=room.messages[1].ts)
    assert [each["text"] for each in thread["messages"]] == ["two", "loud"]
    assert web.chat_getPermalink(channel=room.id, message_ts=first["ts"])["permalink"].endswith(top.ts.replace(".", ""))
    assert web.auth_test()["team_id"] == "T0TEST0001"
    assert [each["name"] for each in web.conversations_list()["channels"]] == ["deploys"]


@pytest.mark.parametrize(
    ("blocks", "place"),
    [
        ([{"type": "divider"}] * 51, "no more than 50 items allowed [json-pointer:/blocks]"),
        ([section("x" * 3001)], "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"),
        ([section("")], "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
        (
            [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2001}]}],
            "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]",
        ),
        (
            [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 11}],
            "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
        ),
        (
            [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}],
            "must be less than 151 characters [json-pointer:/blocks/0/text/text]",
        ),
        (
            [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}],
            "must be a valid enum value [json-pointer:/blocks/0/text/type]",
        ),
        (
            [{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11}],
            "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
        ),
        (
            [{"type": "actions", "elements": [{**BUTTON, "action_id": f"a{number}"} for number in range(26)]}],
            "no more than 25 items allowed [json-pointer:/blocks/0/elements]",
        ),
        (
            [{"type": "actions", "elements": [BUTTON, BUTTON]}],
            "action_id already exists [json-pointer:/blocks/0/elements]",
        ),
        (
            [{"type": "actions", "elements": [{**BUTTON, "value": "x" * 2001}]}],
            "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]",
        ),
        (
            [{"type": "actions", "elements": [{**BUTTON, "text": {"type": "plain_text", "text": "x" * 76}}]}],
            "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]",
        ),
        (
            [{**section("x"), "block_id": "x" * 256}],
            "must be less than 256 characters [json-pointer:/blocks/0/block_id]",
        ),
        (
            [{**section("x"), "colour": "red"}],
            "invalid additional property: colour [json-pointer:/blocks/0]",
        ),
        ([{"type": "blink"}], "unsupported type: blink [json-pointer:/blocks/0/type]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_blocks_beyond_a_limit_are_refused_with_their_place(service: Slack, blocks: list[Any], place: str) -> None:
    """The answer names the place as a JSON pointer; nothing was posted."""
    room = service.room("deploys")
    answer = refusal(lambda: client(service).chat_postMessage(channel=room.id, text="x", blocks=blocks))
    assert answer["error"] == "invalid_blocks"
    assert f"[ERROR] {place}" in answer["response_metadata"]["messages"]
    assert (room.messages, bool(service.objections)) == ([], True)
    service.objections.clear()


@pytest.mark.parametrize("text", ["<!channel>", "<https://x|a|b>", "a > b", "R&D", "<@alice>", "<javascript:x>"])
def test_a_sign_that_is_not_escaped_fails_the_test(text: str) -> None:
    """Slack would take it, and call the whole channel; here whoever sent it hears of it."""
    with pytest.raises(AssertionError, match="not escaped"), slack() as service:
        client(service).chat_postMessage(channel=service.room("deploys").id, text="x", blocks=[section(text)])


def test_what_calls_somebody_as_it_should_is_taken(service: Slack) -> None:
    """Users, channels, groups, dates and addresses may stand between angle brackets."""
    text = "> <@U012AB> <#C012AB> <!subteam^S01> <https://x/?a=1&amp;b=2|here> <!date^1392734382^{date}|then> &lt;b&gt;"
    client(service).chat_postMessage(channel=service.room("deploys").id, text=text, blocks=[section(text)])


@pytest.mark.parametrize(
    ("method", "error"),
    [
        *(("chat.postMessage", name) for name in ("is_archived", "token_revoked", "msg_too_long", "fatal_error")),
        *(("chat.update", name) for name in ("message_not_found", "cant_update_message", "edit_window_closed")),
    ],
)
def test_a_method_fails_as_often_as_a_test_wants(service: Slack, method: str, error: str) -> None:
    """Afterwards it works again."""
    room, web = service.room("deploys"), client(service)
    ts = web.chat_postMessage(channel=room.id, text="x")["ts"]
    service.fail(method, error)
    assert refusal(lambda: web.api_call(method, json={"channel": room.id, "ts": ts, "text": "y"}))["error"] == error
    assert web.api_call(method, json={"channel": room.id, "ts": ts, "text": "y"})["ok"]


def test_an_answer_may_be_lost_when_the_message_is_there(service: Slack) -> None:
    """The connection ends without a word, as when a proxy dies."""
    room = service.room("deploys")
    service.fail("chat.postMessage", "lost")
    with pytest.raises(OSError, match="closed connection"):
        client(service).chat_postMessage(channel=room.id, text="x")
    assert [message.text for message in room.top] == ["x"]


def test_rates_are_kept_if_a_test_wants(service: Slack) -> None:
    """A post a second and room, 50 updates a minute; what is refused may come again when the answer says so."""
    moments = [0.0]
    service.now, service.keeps_rates = (lambda: 1_700_000_000 + moments[0]), True
    room, other, web = service.room("deploys"), service.room("other"), client(service)
    ts = web.chat_postMessage(channel=room.id, text="x")["ts"]
    web.chat_postMessage(channel=other.id, text="x")
    answer = refusal(lambda: web.chat_postMessage(channel=room.id, text="x"))
    assert (answer.status_code, answer["error"], answer.headers["Retry-After"]) == (429, "ratelimited", "1")
    moments[0] += 1
    web.chat_postMessage(channel=room.id, text="x")
    for _ in range(50):
        web.chat_update(channel=room.id, ts=ts, text="y")
    answer = refusal(lambda: web.chat_update(channel=room.id, ts=ts, text="y"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")


def test_who_may_do_what(service: Slack) -> None:
    """Tokens, scopes, membership, private and archived rooms."""
    web, public, hidden = client(service), service.room("far", is_member=False), service.room("p", is_private=True)
    ts = web.chat_postMessage(channel=public.id, text="x")["ts"]
    errors = [refusal(lambda: web.conversations_history(channel=public.id))["error"]]
    errors.append(refusal(lambda: web.conversations_history(channel="far"))["error"])
    hidden.is_member = False
    errors.append(refusal(lambda: web.chat_postMessage(channel=hidden.id, text="x"))["error"])
    service.scopes.remove("chat:write.public")
    errors.append(refusal(lambda: web.chat_postMessage(channel=public.id, text="x"))["error"])
    public.is_archived = True
    errors.append(refusal(lambda: web.chat_postMessage(channel=public.id, text="x"))["error"])
    errors.append(refusal(lambda: web.chat_update(channel=public.id, ts=ts, text="x"))["error"])
    service.revoke("xoxb-new")
    errors.append(refusal(web.auth_test)["error"])
    errors.append(refusal(lambda: client(service).apps_connections_open(app_token="xoxb-new"))["error"])
    assert errors == [
        *("not_in_channel", "channel_not_found", "channel_not_found", "not_in_channel", "is_archived", "is_inactive"),
        *("token_revoked", "not_allowed_token_type"),
    ]


def test_what_is_deleted_cannot_be_updated_or_answered(service: Slack) -> None:
    """A thread lives on below a deleted message as long as there is a reply."""
    room, web = service.room("deploys"), client(service)
    ts = web.chat_postMessage(channel=room.id, text="x")["ts"]
    room.top[0].is_deleted = True
    assert refusal(lambda: web.chat_update(channel=room.id, ts=ts, text="y"))["error"] == "message_not_found"
    assert refusal(lambda: web.chat_postMessage(channel=room.id, thread_ts=ts, text="y"))["error"] == "thread_not_found"


def listening(service: Slack, got: list[Any]) -> SocketModeClient:
    """Return the real client, connected, which acknowledges what it gets."""
    sockets = SocketModeClient(service.app_token, web_client=client(service), ping_interval=0.3)

    def take(connected: SocketModeClient, request: SocketModeRequest) -> None:
        connected.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
        got.append(request.payload)

    sockets.socket_mode_request_listeners.append(take)  # type: ignore[arg-type]
    sockets.connect()
    return sockets


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def test_clicks_arrive_over_a_socket_and_are_acknowledged(service: Slack) -> None:
    """Again after the socket was refreshed, or cut; the same click may come twice."""
    room, got = service.room("deploys"), list[Any]()
    web = client(service)
    ts = web.chat_postMessage(channel=room.id, text="x", blocks=[{"type": "actions", "elements": [BUTTON]}])["ts"]
    listener = listening(service, got)
    try:
        until(lambda: len(service.sockets.connections) == 1)
        click = service.click("U0ALICE", room.top[0], "approve")
        assert click.waited() >= 0
        service.sockets.send(click)
        until(lambda: len(got) == 2)
        (payload, again) = got
        assert payload == again
        assert (payload["user"]["id"], payload["container"]["message_ts"]) == ("U0ALICE", ts)
        assert (payload["actions"][0]["action_id"], payload["actions"][0]["value"]) == ("approve", "v")
        request = Request(payload["response_url"], json.dumps({"text": "noted"}).encode())  # noqa: S310
        assert urlopen(request, timeout=5).read() == b"ok"  # noqa: S310
        assert service.whispers == [(room.id, "", "noted")]
        service.sockets.refresh()
        until(lambda: service.sockets.opened == 2)
        service.sockets.drop()
        until(lambda: service.sockets.opened == 3)
        until(lambda: len(service.sockets.connections) == 1)
        service.click("U0ALICE", room.top[0], "approve").waited()
    finally:
        listener.close()
