"""The channel slack, with the real client against a Slack that holds every payload against the documented limits."""

import html
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from changewindow.notify.base import Message, NotDelivered, Reference, Tools, WayOn
from changewindow.notify.slack import MEANINGS, POSTED, UPDATED, Channel
from changewindow.systems.connection import Connection
from servers.slack import Slack, slack
from servers.slack_limits import length as units
from servers.slack_rooms import Posted
from support.recording_server import Reply, recording_server

NOW = datetime.now(UTC)
ROOM = "#deploys"
BLOCKS = ({"type": "section", "text": {"type": "mrkdwn", "text": "*begins*"}},)


@pytest.fixture
def service() -> Iterator[Slack]:
    """Run a Slack with a room."""
    with slack() as running:
        running.room(ROOM)
        yield running


def said(text: str = "text", **more: Any) -> Message:
    """Return a message of the moment."""
    return Message(text, datetime.now(UTC), **{"key": "CHG-1 card", **more})


def top(service: Slack) -> Posted:
    """Return the message that stands in the room."""
    (message,) = service.room(ROOM).top
    return message


def failure(attempt: Callable[[], object]) -> NotDelivered:
    """Return how an attempt fails."""
    with pytest.raises(NotDelivered) as error:
        attempt()
    return error.value


def found(service: Slack, key: str = "CHG-1 card", **more: Any) -> Reference | None:
    """Return where the message of a key stands, as the channel finds out."""
    channel = more.pop("channel", Channel())
    return channel.find(service.tools(), ROOM, key, since=NOW - timedelta(minutes=1), **more)


def test_a_message_is_brought_up_to_date_and_its_thread_stands_below_it(service: Slack) -> None:
    """The room is named once; afterwards its id counts, which stays when somebody renames it."""
    first = Channel().post(service.tools(), ROOM, said("begins", blocks=BLOCKS))
    service.room(ROOM).name = "renamed"
    Channel().post(service.tools(), ROOM, said("step 1", key="CHG-1 card/2"), below=first)
    Channel().post(service.tools(), ROOM, said("failed", key="CHG-1 card/3"), below=first, is_loud=True)
    Channel().update(service.tools(), first, said("ends"))
    room = service.room("renamed")
    assert first == Reference(room.id, room.top[0].ts)
    assert (room.top[0].text, room.top[0].blocks, room.top[0].key) == ("ends", [], "CHG-1 card")
    replies = [(reply.text, reply.is_broadcast) for reply in room.replies(room.top[0])]
    assert replies == [("step 1", False), ("failed", True)]


CASES = [
    ("is_archived", WayOn.ELSEWHERE, "#deploys is archived: unarchive it, or name another `channel`"),
    ("is_inactive", WayOn.ELSEWHERE, "#deploys is archived: unarchive it"),
    ("channel_not_found", WayOn.ELSEWHERE, "is private and the bot is not in it: invite the bot (/invite)"),
    ("not_in_channel", WayOn.ELSEWHERE, "the bot is not in #deploys: invite it (/invite)"),
    ("restricted_action_read_only_channel", WayOn.ELSEWHERE, "Slack lets only some people post in #deploys"),
    ("token_revoked", WayOn.BY_HAND, "put a new token of the bot (xoxb-…) into the password of the connection slack_"),
    ("token_expired", WayOn.BY_HAND, "put a new token"),
    ("invalid_auth", WayOn.BY_HAND, "there is no valid token: put a new token"),
    ("account_inactive", WayOn.BY_HAND, "the bot was removed: install the app again"),
    ("missing_scope", WayOn.BY_HAND, "the app lacks the scope that is needed: add it"),
    ("no_permission", WayOn.BY_HAND, "ask whoever administers Slack to allow it"),
    ("invalid_blocks", WayOn.PLAIN, "only its text goes out; correct the template"),
    ("msg_too_long", WayOn.PLAIN, "only its text goes out"),
    ("message_not_found", WayOn.ANEW, "somebody has deleted the message; it is posted anew"),
    ("cant_update_message", WayOn.ANEW, "lets nobody update the message any more; it is posted anew"),
    ("edit_window_closed", WayOn.ANEW, "lets nobody update the message any more; it is posted anew"),
    ("thread_not_found", WayOn.ANEW, "somebody has deleted the message; it is posted anew"),
    ("fatal_error", WayOn.LATER, "Slack itself failed; it is tried again (Slack: fatal_error)"),
    ("service_unavailable", WayOn.LATER, "Slack itself failed"),
    (
        "an_error_of_next_year",
        WayOn.LATER,
        "Slack itself failed; it is tried again (Slack: an_error_of_next_year)",
    ),
    ("team_added_to_org", WayOn.LATER, "Slack itself failed"),
    ("500", WayOn.LATER, "Slack itself failed"),
    ("503", WayOn.LATER, "Slack itself failed"),
    ("garbage", WayOn.LATER, "Slack itself failed"),
    ("lost", WayOn.LATER, "Slack did not answer: RemoteDisconnected"),
    ("cut", WayOn.LATER, "Slack did not answer: RemoteDisconnected"),
]


@pytest.mark.parametrize(("kind", "way_on", "sentence"), CASES, ids=[case[0] for case in CASES])
def test_every_failure_has_its_way_on_and_its_remedy(service: Slack, kind: str, way_on: WayOn, sentence: str) -> None:
    """A tired person reads what to do; only what Slack has clearly refused is known not to have arrived."""
    service.fail("*", kind)
    error = failure(lambda: Channel().post(service.tools(), ROOM, said()))
    assert (error.way_on, error.is_refused) == (way_on, kind in MEANINGS)
    assert sentence in str(error)
    assert service.token not in str(error)
    assert len(service.calls) == 1


def test_every_error_that_is_named_is_looked_at() -> None:
    """The table above has a row for each sentence."""
    sentences = {sentence for _, sentence in MEANINGS.values()}
    assert {MEANINGS[kind][1] for kind, _, _ in CASES if kind in MEANINGS} == sentences


def test_an_answer_that_is_lost_is_no_second_message(service: Slack) -> None:
    """The real client would post again by itself; whoever finds the first one knows that it arrived."""
    service.fail("chat.postMessage", "lost")
    failure(lambda: Channel().post(service.tools(), ROOM, said()))
    assert found(service) == Reference(service.room(ROOM).id, top(service).ts)


def test_slack_that_hangs_is_left_in_time(service: Slack) -> None:
    """It does not hold up the sender for ever, and what became of the message is not known."""
    service.fail("chat.postMessage", "hang")
    error = failure(lambda: Channel().post(service.tools(within=0.5), ROOM, said()))
    assert (error.way_on, error.is_refused) == (WayOn.LATER, False)


@pytest.mark.parametrize(("wanted", "seconds"), [(7, 7), (None, 30), (86_400, 3600)])
def test_slack_is_left_alone_for_as_long_as_it_wants(service: Slack, wanted: int | None, seconds: int) -> None:
    """Retry-After is taken at its word, up to an hour."""
    service.fail("chat.update", "ratelimited", retry_after=wanted)
    where = Channel().post(service.tools(), ROOM, said())
    error = failure(lambda: Channel().update(service.tools(), where, said("new")))
    assert (error.way_on, error.after, error.is_refused) == (WayOn.LATER, timedelta(seconds=seconds), True)


@pytest.mark.parametrize("answer", ['"text"', "[1]", "null", '{"ok": true}', '{"ok": false}', "{", "\udcff"])
def test_what_is_no_answer_of_slack_is_not_delivered(answer: str) -> None:
    """A proxy, a captive portal, or half a text: nobody knows what became of the message."""
    reply = Reply(200, answer.encode(errors="surrogateescape"), {"Content-Type": "application/json"})
    with recording_server(reply) as server:
        known = Connection("slack", "slack", password="xoxb-1", extra={"base_url": f"{server.url}/api/"})
        error = failure(lambda: Channel().post(Tools(lambda _: known, within=5), ROOM, said()))
    assert (error.way_on, error.is_refused) == (WayOn.LATER, False)


def test_nobody_there_is_not_delivered() -> None:
    """Where the connection is refused, nothing can have arrived."""
    known = Connection("slack", "slack", password="xoxb-1", extra={"base_url": "http://127.0.0.1:1/api/"})
    error = failure(lambda: Channel().post(Tools(lambda _: known, within=5), ROOM, said()))
    assert (error.way_on, error.is_refused) == (WayOn.LATER, True)


@pytest.mark.parametrize("token", ["", "  ", "xoxb-1\nxoxb-2", "xoxb-ü"])
def test_what_cannot_be_a_token_is_not_sent_and_not_shown(service: Slack, token: str) -> None:
    """HTTP's own error about a line break would repeat the token."""
    known = replace(service.connection, password=token)
    error = failure(lambda: Channel().post(Tools(lambda _: known), ROOM, said()))
    assert (error.way_on, service.calls) == (WayOn.BY_HAND, [])
    assert str(error) == (
        "there is no valid token: put a new token of the bot (xoxb-…) into the password of the connection"
        " slack_api_default (Slack: not_authed)"
    )


def test_a_token_with_a_line_break_at_its_end_counts(service: Slack) -> None:
    """It was pasted with it."""
    known = replace(service.connection, password=f"{service.token}\n")
    assert Channel().post(Tools(lambda _: known), ROOM, said()).id


def test_blocks_beyond_a_limit_say_where(service: Slack) -> None:
    """Whoever wrote the template reads the place; the text alone is taken."""
    long = ({"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}},)
    error = failure(lambda: Channel().post(service.tools(), ROOM, said(blocks=long)))
    assert error.way_on is WayOn.PLAIN
    assert "must be less than 3001 characters [json-pointer:/blocks/0/text/text]" in str(error)
    service.objections.clear()
    Channel().post(service.tools(), ROOM, said())


def test_a_message_calls_nobody_and_leads_nowhere_else(service: Slack) -> None:
    """What a ticket says is text: no alarm for the whole channel, no link behind other words, no hidden sign."""
    text = "<!channel> <https://evil|our wiki> <@U1> & \u202ereversed"
    Channel().post(service.tools(ids={"alice": "U0ALICE"}), ROOM, said(text, calls=("alice", "bob")))
    shown = r"&lt;!channel&gt; &lt;https://evil|our wiki&gt; &lt;@U1&gt; &amp; \u202ereversed"
    assert top(service).text == f"{shown}\n<@U0ALICE>"
    (call,) = service.asked("chat.postMessage")
    assert (call.fields["parse"], call.fields["unfurl_media"], call.fields["unfurl_links"]) == ("none", False, False)


@pytest.mark.parametrize("length", range(UPDATED - 80, UPDATED - 70))
def test_a_long_text_is_cut_with_a_mark_and_no_sign_in_two(service: Slack, length: int) -> None:
    """Slack takes 40,000 characters of a post, and 4,000 of an update, after the signs are escaped."""
    text, ids = "x" * length + "&<😀>" * 20_000, {"alice": "U0ALICE"}
    where = Channel().post(service.tools(ids=ids), ROOM, said(text, calls=("alice",)))
    assert POSTED - 10 < units(top(service).text) <= POSTED
    Channel().update(service.tools(ids=ids), where, said(text, calls=("alice",)))
    shown = top(service).text
    assert UPDATED - 10 < units(shown) <= UPDATED
    begun, mark = shown.split("\n… ")
    assert text.startswith(html.unescape(begun))
    assert mark == "(cut: longer than Slack takes)\n<@U0ALICE>"


def test_a_message_is_found_by_its_key_page_by_page(service: Slack) -> None:
    """In the channel or in a thread, by the id of the room or its name; what is older is another one's."""
    assert found(service) is None
    first = Channel().post(service.tools(), ROOM, said())
    for number in range(205):
        Channel().post(service.tools(), ROOM, said(key=f"other {number}"))
        Channel().post(service.tools(), ROOM, said(key=f"line {number}"), below=first)
    assert found(service) == first == found(service, channel=Channel(channel=service.room(ROOM).id))
    assert found(service, "line 204", below=first) is not None
    assert found(service, "line 204") is None
    assert found(service, "line 205", below=first) is None
    assert Channel().find(service.tools(), ROOM, "CHG-1 card", since=NOW + timedelta(minutes=1)) == first  # our clock
    assert Channel().find(service.tools(), ROOM, "CHG-1 card", since=datetime.now(UTC) + timedelta(minutes=9)) is None
    for message in service.room(ROOM).messages:
        message.is_deleted = True
    assert found(service, "line 204", below=first) is None


@pytest.mark.parametrize(
    ("lacks", "is_member", "remedy"),
    [
        ("channels:history", True, "the app lacks the scope channels:history: add it"),
        ("channels:read", True, "the app lacks the scope channels:read: add it"),
        ("", False, "the bot is not in"),
    ],
)
def test_who_may_not_read_cannot_say_whether_it_arrived(
    service: Slack,
    lacks: str,
    is_member: bool,  # noqa: FBT001
    remedy: str,
) -> None:
    """So it is posted again, and says that it may stand there twice."""
    Channel().post(service.tools(), ROOM, said())
    service.scopes.discard(lacks)
    service.room(ROOM).is_member = is_member
    error = failure(lambda: found(service))
    assert error.way_on is WayOn.TWICE
    assert str(error).startswith("nobody can say whether a message arrived, so it is posted again. ")
    assert remedy in str(error)


@pytest.mark.parametrize("kind", ["ratelimited", "token_revoked", "500", "cut"])
def test_who_cannot_be_asked_now_is_asked_again(service: Slack, kind: str) -> None:
    """A post whose fate is not known is not repeated for that."""
    Channel().post(service.tools(), ROOM, said())
    service.fail("*", kind)
    assert failure(lambda: found(service)).way_on is not WayOn.TWICE
    assert found(service) is not None


def test_a_private_room_takes_the_bot_as_a_member(service: Slack) -> None:
    """Whoever is not in it cannot tell it from one that does not exist."""
    room = service.room("secret", is_private=True)
    where = Channel().post(service.tools(), "#secret", said())
    assert Channel().find(service.tools(), "#secret", "CHG-1 card", since=NOW) == where
    room.is_member = False
    assert failure(lambda: Channel().update(service.tools(), where, said())).way_on is WayOn.ELSEWHERE


def test_it_goes_through_the_proxy_of_its_connection(service: Slack) -> None:
    """The proxy in the extra of the connection is asked for Slack's address."""
    with recording_server(service.reply_through) as proxy:
        known = replace(service.connection, extra={"base_url": "http://slack.invalid/api/", "proxy": proxy.url})
        Channel().post(Tools(lambda _: known), ROOM, said())
        assert proxy.requests[0].target == "http://slack.invalid/api/chat.postMessage"
    assert top(service).text == "text"
