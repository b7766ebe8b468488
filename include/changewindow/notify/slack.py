"""Posts to Slack with the Web API: one message per change that is brought up to date, and its thread.

The connection is of type Slack API, with the token of a bot in its password; its extra may name `base_url`, `proxy`.
The bot needs the scopes `chat:write` and `chat:write.public`; a private channel has to be joined (`/invite @…`). With
`channels:history` (`groups:history` for private channels), and the bot in the channel, it also knows, after a crash
between a post and its record, whether that message arrived; without, it posts again and says that it may stand twice.
A channel that is named by its name and not by its id takes `channels:read` (`groups:read`) for that, too.

Source: https://docs.slack.dev/reference/methods/chat.postMessage, chat.update, conversations.history
"""

import logging
import math
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.client import HTTPException
from socket import gaierror
from typing import Any, ClassVar, Literal
from urllib.error import URLError

from pydantic import Field
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from changewindow import settings
from changewindow.documents.text import visible
from changewindow.documents.types import ConnectionName
from changewindow.notify.base import ChannelBase, Message, NotDelivered, Reference, Tools, WayOn

EXAMPLE = {"kind": "slack", "channel": "C0123456789"}
EVENT = "changewindow"
"""By which metadata our messages are known."""
POSTED, UPDATED = 40_000, 4_000
"""Characters of a text that Slack takes: more is cut off, or refused."""
CUT = "\n… (cut: longer than Slack takes)"
SKEW = timedelta(minutes=2)
"""By how much our clock may be ahead of Slack's."""
PAUSE = timedelta(minutes=1)
"""How long a message stands at least before it is posted anew: where none can be updated, the room does not fill."""
ID = re.compile(r"[CGD][A-Z0-9]{6,}")
SILENT = logging.getLogger("changewindow.slack")
"""Takes what Slack's client has to complain of, which the outbox says already."""
SILENT.setLevel(logging.CRITICAL)
BROKEN = (SlackClientError, OSError, HTTPException, ValueError, LookupError, AttributeError, TypeError)
"""How Slack's client ends when there is no answer, or none of Slack's."""


class Channel(ChannelBase):
    """Slack."""

    kind: Literal["slack"] = "slack"
    connection: ConnectionName = settings.SLACK_CONNECTION
    """The Airflow Connection of type Slack API."""
    channel: str = Field(default="", max_length=80)
    """The channel's id, which stays when it is renamed; without it, the name of the room is used."""

    is_live: ClassVar[bool] = True
    spacing: ClassVar[timedelta] = timedelta(seconds=1)
    updates: ClassVar[int] = 45

    def place(self, room: str) -> str:
        """Return the connection and the channel."""
        return f"slack {self.connection} {self.channel or room}"

    def post(
        self, tools: Tools, room: str, message: Message, *, below: Reference | None = None, is_loud: bool = False
    ) -> Reference:
        """Post it with chat.postMessage; `is_loud` broadcasts a reply to the channel."""
        place = below.place if below else self.channel or room
        more: dict[str, Any] = {"thread_ts": below.id, "reply_broadcast": is_loud} if below else {}
        answer = self._asked(
            tools,
            "chat.postMessage",
            channel=place,
            metadata={"event_type": EVENT, "event_payload": {"key": message.key}},
            unfurl_links=False,
            unfurl_media=False,
            **_text_and_blocks(tools, message, POSTED),
            **more,
        )
        if answer.get("ts"):
            return Reference(str(answer.get("channel") or place), str(answer["ts"]))
        raise NotDelivered(f"{place}: Slack's answer does not say where the message stands")

    def update(self, tools: Tools, reference: Reference, message: Message) -> None:
        """Bring it up to date with chat.update."""
        where = {"channel": reference.place, "ts": reference.id}
        self._asked(tools, "chat.update", **where, **_text_and_blocks(tools, message, UPDATED))

    def find(
        self, tools: Tools, room: str, key: str, *, since: datetime, below: Reference | None = None
    ) -> Reference | None:
        """Look for the key in the metadata of what stands in the channel, or in the thread.

        A token that may not read there cannot say (`WayOn.TWICE`).
        """
        try:
            place = below.place if below else self._id(tools, self.channel or room)
            method, thread = ("conversations.replies", {"ts": below.id}) if below else ("conversations.history", {})
            oldest = f"{(since - SKEW).timestamp():.6f}"
            asked = {"channel": place, "oldest": oldest, "include_all_metadata": True, "limit": 200, **thread}
            for each in self._pages(tools, method, "messages", asked):
                if ((each.get("metadata") or {}).get("event_payload") or {}).get("key") == key:
                    return Reference(place, str(each["ts"]))
        except NotDelivered as error:
            if error.name == "thread_not_found":
                return None
            if error.name in UNREADABLE:
                reason = f"nobody can say whether a message arrived, so it is posted again. {error}"
                raise NotDelivered(reason, WayOn.TWICE, name=error.name) from error
            raise
        return None

    def _id(self, tools: Tools, name: str) -> str:
        """Return the id of a channel: all methods but one take nothing else."""
        if ID.fullmatch(name):
            return name
        for types in ("public_channel", "private_channel"):
            asked = {"types": types, "exclude_archived": True, "limit": 999}
            for each in self._pages(tools, "conversations.list", "channels", asked):
                if each.get("name") == name.removeprefix("#"):
                    return str(each["id"])
        raise NotDelivered(*_meaning("channel_not_found", self.connection, name, {}), name="channel_not_found")

    def _pages(self, tools: Tools, method: str, what: str, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield what Slack lists, page by page."""
        cursor = ""
        while True:
            page = self._asked(tools, method, **asked, **({"cursor": cursor} if cursor else {}))
            yield from page.get(what) or ()
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return

    def _asked(self, tools: Tools, method: str, **fields: Any) -> dict[str, Any]:
        """Return Slack's answer.

        Raises:
            NotDelivered: it is a no, or there is none.
        """
        known = tools.known(self.connection)
        if not re.fullmatch(r"[\x21-\x7e]+", known.password.strip()):
            raise NotDelivered(*_meaning("not_authed", self.connection, "", {}), name="not_authed", is_refused=True)
        client = WebClient(
            known.password,
            base_url=str(known.extra.get("base_url") or WebClient.BASE_URL),
            proxy=known.extra.get("proxy"),
            timeout=math.ceil(tools.within),
            logger=SILENT,
            retry_handlers=[],  # the client would post again what has arrived, when only the answer was lost
        )
        forms = method.startswith("conversations")
        try:
            return dict(client.api_call(method, **({"params": fields} if forms else {"json": fields})).data)  # type: ignore[arg-type]
        except SlackApiError as error:
            raise self._refused(error, str(fields.get("channel", ""))) from error
        except BROKEN as error:
            cause = getattr(error, "reason", error)
            is_refused = isinstance(error, URLError) and isinstance(cause, ConnectionRefusedError | gaierror)
            reason = f"Slack did not answer: {type(cause).__name__}: {cause}"
            raise NotDelivered(reason, is_refused=is_refused) from error

    def _refused(self, error: SlackApiError, channel: str) -> NotDelivered:
        """Return what Slack's no means."""
        answer = error.response.data if isinstance(error.response.data, dict) else {}
        name = str(answer.get("error") or f"status {error.response.status_code}")
        if error.response.status_code == 429 or name in {"ratelimited", "rate_limited"}:
            wanted = str(error.response.headers.get("Retry-After", "")).strip()
            after = timedelta(seconds=min(int(wanted), 3600) if wanted.isdecimal() else 30)
            return NotDelivered("Slack's rate limit; it is tried again", after=after, name=name, is_refused=True)
        after = PAUSE if name in NOT_OURS else timedelta(0)
        sentence, way_on = _meaning(name, self.connection, channel, answer)
        return NotDelivered(sentence, way_on, after, name=name, is_refused=name in MEANINGS)


NOT_OURS = ("cant_update_message", "edit_window_closed")
UNREADABLE = {"missing_scope", "not_in_channel", "channel_not_found", "no_permission", "not_allowed_token_type"}
"""Errors with which nobody can say, now or later, what stands in a channel."""
RENEW = "put a new token of the bot (xoxb-…) into the password of the connection {connection}"
ANOTHER = "or name another `channel` for the room in messages.yaml"
WAYS_ON: tuple[tuple[WayOn, str, tuple[str, ...]], ...] = (
    (WayOn.ANEW, "somebody has deleted the message; it is posted anew", ("message_not_found", "thread_not_found")),
    (WayOn.ANEW, "Slack lets nobody update the message any more; it is posted anew", NOT_OURS),
    (
        WayOn.PLAIN,
        "Slack does not take the message in this form, so only its text goes out; correct the template",
        ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"),
    ),
    (WayOn.ELSEWHERE, "{channel} is archived: unarchive it, " + ANOTHER, ("is_archived", "is_inactive")),
    (
        WayOn.ELSEWHERE,
        "{channel} does not exist, or is private and the bot is not in it: invite the bot (/invite), " + ANOTHER,
        ("channel_not_found",),
    ),
    (WayOn.ELSEWHERE, "the bot is not in {channel}: invite it (/invite), " + ANOTHER, ("not_in_channel",)),
    (
        WayOn.ELSEWHERE,
        "Slack lets only some people post in {channel}: have the app allowed to, " + ANOTHER,
        tuple(f"restricted_action{what}" for what in ("", "_read_only_channel", "_thread_only_channel")),
    ),
    (WayOn.BY_HAND, "the token is no longer valid: " + RENEW, ("token_revoked", "token_expired")),
    (WayOn.BY_HAND, "there is no valid token: " + RENEW, ("invalid_auth", "not_authed", "not_allowed_token_type")),
    (WayOn.BY_HAND, "the bot was removed: install the app again, and " + RENEW, ("account_inactive",)),
    (
        WayOn.BY_HAND,
        "the app lacks the scope {needed}: add it (OAuth & Permissions), and install the app again",
        ("missing_scope",),
    ),
    (
        WayOn.BY_HAND,
        "the app may not do that: ask whoever administers Slack to allow it",
        ("no_permission", "team_access_not_granted", "ekm_access_denied", "accesslimited", "access_denied"),
    ),
)
"""What becomes of a message that Slack refuses, what to do about it, and the names of such errors."""
MEANINGS = {name: (way_on, sentence) for way_on, sentence, names in WAYS_ON for name in names}


def _meaning(name: str, connection: str, channel: str, answer: dict[str, Any]) -> tuple[str, WayOn]:
    """Return what an error means, in a sentence, and the way on."""
    way_on, text = MEANINGS.get(name, (WayOn.LATER, "Slack itself failed; it is tried again"))
    details = "; ".join(str(each) for each in (answer.get("response_metadata") or {}).get("messages") or ())
    needed = str(answer.get("needed") or "that is needed")
    sentence = text.format(connection=connection, channel=channel or "the channel", needed=needed)
    return f"{sentence} (Slack: {visible(name)[:200]}{'; ' if details else ''}{visible(details)[:500]})", way_on


def _text_and_blocks(tools: Tools, message: Message, most: int) -> dict[str, Any]:
    """Return text and blocks; the text stands in for the blocks in notifications, and alone where there are none."""
    called = " ".join(f"<@{tools.ids[person]}>" for person in message.calls if person in tools.ids)
    calls = f"\n{called}" if called and not message.blocks else ""
    text = _cut(_escaped(message.sent_at(tools.now())), most - len(calls)) + calls
    return {"text": text, "parse": "none", **({"blocks": list(message.blocks)} if message.blocks else {})}


def _cut(text: str, most: int) -> str:
    """Return as much of an escaped text as fits, an emoji counted as two, with a mark; no sign is cut in two."""
    units = text.encode("utf-16-le")
    if len(units) <= 2 * most:
        return text
    return re.sub(r"&[a-z]{0,3}$", "", units[: 2 * (most - len(CUT))].decode("utf-16-le", "ignore")) + CUT


def _escaped(text: str) -> str:
    """Return a text that calls nobody, as `<!channel>` does, and hides no address, as `<https://…|text>` does.

    Source: https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
