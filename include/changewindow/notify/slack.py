"""Posts to Slack with the Web API: one message per change that is brought up to date, and its thread.

The connection is of type Slack API, with the token of a bot in its password; its extra may name `base_url`, `proxy`.
The bot needs the scopes `chat:write` and `chat:write.public`; with `channels:history` (and `groups:history` for private
channels) it also knows, after a crash between a post and its record, whether that message arrived.

Source: https://docs.slack.dev/reference/methods/chat.postMessage, chat.update, conversations.history
"""

import logging
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

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
LONGEST = 40_000
"""Characters of a text, beyond which Slack cuts it off."""
SILENT = logging.getLogger("changewindow.slack")
"""Takes what Slack's client has to complain of, which the outbox says already."""
SILENT.setLevel(logging.CRITICAL)


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
        below = below if below and below.id else None
        more: dict[str, Any] = {"thread_ts": below.id, "reply_broadcast": is_loud} if below else {}
        metadata = {"event_type": EVENT, "event_payload": {"key": message.key}}
        reply = self._asked(
            tools,
            "chat.postMessage",
            channel=below.place if below else self.channel or room,
            metadata=metadata,
            unfurl_links=False,
            unfurl_media=False,
            **_said(tools, message),
            **more,
        )
        return Reference(str(reply.get("channel") or self.channel or room), str(reply["ts"]))

    def update(self, tools: Tools, reference: Reference, message: Message) -> None:
        """Bring it up to date with chat.update."""
        self._asked(tools, "chat.update", channel=reference.place, ts=reference.id, **_said(tools, message))

    def find(
        self, tools: Tools, room: str, key: str, *, since: datetime, below: Reference | None = None
    ) -> Reference | None:
        """Look for the key in the metadata of what stands in the channel, or in the thread."""
        below = below if below and below.id else None
        method = "conversations.replies" if below else "conversations.history"
        asked: dict[str, Any] = {"channel": below.place if below else self.channel or room}
        asked |= {"ts": below.id} if below else {}
        cursor = ""
        while True:
            page = self._asked(
                tools,
                method,
                oldest=f"{since.timestamp() - 5:.6f}",
                include_all_metadata=True,
                limit=200,
                **asked,
                **({"cursor": cursor} if cursor else {}),
            )
            for each in page.get("messages") or []:
                payload = (each.get("metadata") or {}).get("event_payload") or {}
                if payload.get("key") == key:
                    return Reference(asked["channel"], str(each["ts"]))
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return None

    def _asked(self, tools: Tools, method: str, **fields: Any) -> Any:
        """Return Slack's answer.

        Raises:
            NotDelivered: it is a no, or there is none.
        """
        known = tools.connection(self.connection)
        client = WebClient(
            known.password,
            base_url=str(known.extra.get("base_url") or WebClient.BASE_URL),
            proxy=known.extra.get("proxy"),
            timeout=int(tools.within),
            logger=SILENT,
        )
        try:
            if method.startswith("conversations"):
                return client.api_call(method, params=fields).data
            return client.api_call(method, json=fields).data
        except SlackApiError as error:
            raise _refused(error) from error
        except (SlackClientError, OSError, ValueError) as error:
            raise NotDelivered(f"Slack did not answer: {error}") from error


WAYS_ON: dict[str, WayOn] = {
    **dict.fromkeys(("message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"), WayOn.ANEW),
    **dict.fromkeys(("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"), WayOn.PLAIN),
    **dict.fromkeys(("is_archived", "channel_not_found", "not_in_channel", "restricted_action"), WayOn.ELSEWHERE),
    **dict.fromkeys(("token_revoked", "token_expired", "invalid_auth", "not_authed"), WayOn.BY_HAND),
    **dict.fromkeys(("account_inactive", "missing_scope", "no_permission", "team_access_not_granted"), WayOn.BY_HAND),
}
"""What Slack's errors mean for a message."""


def _refused(error: SlackApiError) -> NotDelivered:
    """Return what Slack's no means."""
    response = error.response
    try:
        name = str(response["error"])
    except (KeyError, TypeError):
        name = f"status {response.status_code}"
    after = timedelta(0)
    if response.status_code == 429 or name in {"ratelimited", "rate_limited"}:
        wanted = str(response.headers.get("Retry-After", "")).strip()
        after = timedelta(seconds=min(int(wanted), 3600) if wanted.isdecimal() else 30)
    return NotDelivered(f"Slack answered: {name}", WAYS_ON.get(name, WayOn.LATER), after)


def _said(tools: Tools, message: Message) -> dict[str, Any]:
    """Return text and blocks; the text stands in for the blocks in notifications, and alone where there are none."""
    text = _escaped(message.sent_at(tools.now()))[:LONGEST]
    called = " ".join(f"<@{tools.ids[person]}>" for person in message.calls if person in tools.ids)
    if called and not message.blocks:
        text = f"{text}\n{called}"
    return {"text": text, "parse": "none", **({"blocks": list(message.blocks)} if message.blocks else {})}


def _escaped(text: str) -> str:
    """Return a text that calls nobody, as `<!channel>` does, and hides no address, as `<https://…|text>` does.

    Source: https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
