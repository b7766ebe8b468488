"""Posts each news of a change into a channel or chat of Microsoft Teams, by a webhook of the app Workflows.

In Teams, choose Workflows at the channel, and "Send webhook alerts to a channel" (its trigger is "When a Teams webhook
request is received", its action "Post card in a chat or channel"). The address that it shows may be used by whoever
knows it, so it is a secret: write all of it into the password of an Airflow Connection of type Generic, and nothing
else. Give the workflow a second owner; it ends with the account of its last one.

A message is an Adaptive Card of plain text: nothing in it calls anybody or hides an address, and addresses lead to
where they say. Teams takes 28 KB; what is longer is cut off. Messages cannot be brought up to date that way, and have
no thread. Teams does not know a message again: one that was being sent when the process died may stand there twice.

Source: https://support.microsoft.com/en-us/office/create-incoming-webhooks-with-workflows-for-microsoft-teams-8ae491c7-0394-4861-ba59-055e33f75498,
https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook,
https://adaptivecards.io/explorer/RichTextBlock.html
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from changewindow.documents.text import visible
from changewindow.documents.types import ConnectionName
from changewindow.errors import UnusableConnection
from changewindow.notify.base import ChannelBase, Message, NotDelivered, Reference, Tools, WayOn, delivered
from changewindow.systems.connection import Connection
from changewindow.systems.http.exchange import Request

EXAMPLE = {"kind": "teams", "connection": "teams_deploys"}
LARGEST = 20_000
"""Bytes of a card; Teams takes 28 KB, and counts more than is sent."""
LINKS = 5
"""Addresses in a line that lead somewhere."""
LINK = re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?')\]]")
CUT = "… it is longer than Teams takes; the record of the change has all of it."


class Channel(ChannelBase):
    """Microsoft Teams."""

    kind: Literal["teams"] = "teams"
    connection: ConnectionName
    """The Airflow Connection whose password is the whole address of the webhook."""

    spacing: ClassVar[timedelta] = timedelta(seconds=1)

    def place(self, room: str) -> str:
        """Return the connection."""
        return f"teams {self.connection}"

    def post(
        self, tools: Tools, room: str, message: Message, *, below: Reference | None = None, is_loud: bool = False
    ) -> Reference:
        """Post it as an Adaptive Card; `is_loud` in the colour of warnings."""
        known = tools.known(self.connection)
        body = _envelope(visible(message.sent_at(tools.now())), "attention" if is_loud else "default")
        headers = {"Content-Type": "application/json"}
        request = Request("POST", _address(known), body, headers, within=tools.within, shown_as="Teams")
        reply = delivered(request, known, f"the webhook of '{known.name}' in Teams", tools.now())
        if "delivery failed" in reply.text:  # with 200, as the webhooks of before do
            raise NotDelivered(f"the webhook of '{known.name}' could not deliver it to Teams. It is tried again.")
        return Reference("", message.key)

    def find(
        self, tools: Tools, room: str, key: str, *, since: datetime, below: Reference | None = None
    ) -> Reference | None:
        """Say that nobody can tell: a webhook only takes messages."""
        raise NotDelivered("Teams does not say whether a message arrived, so it is posted again.", WayOn.TWICE)


def _address(known: Connection) -> str:
    """Return the address of the webhook.

    Raises:
        UnusableConnection: its password is none.
    """
    address = known.password.strip()
    try:
        parts = urlsplit(address)
        is_one = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0 and address.isprintable()
    except ValueError:
        is_one = False
    if not is_one or " " in address or not address.isascii():
        raise UnusableConnection(known.name, "address of a webhook in its password; it begins with https://")
    return address


def _envelope(text: str, colour: str) -> bytes:
    """Return the message that carries the card, small enough for Teams."""
    head, *rest = text.splitlines() or [""]
    title = {"size": "Medium", "weight": "Bolder", "color": colour}
    body = [_block(head[:1000], title), *(_block(line[:2000], {}) for line in rest)]
    whole = _encoded(body)
    while len(whole) > LARGEST:
        body = [*body[: max(1, len(body) * 3 // 4 - 1)], _block(CUT, {"isSubtle": True})]
        whole = _encoded(body)
    return whole


def _encoded(body: list[dict[str, Any]]) -> bytes:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "msteams": {"width": "Full"},
        "body": body,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    attachment = {"contentType": kind, "contentUrl": None, "content": card}
    return json.dumps({"type": "message", "attachments": [attachment]}, ensure_ascii=False).encode(errors="replace")


def _block(line: str, look: dict[str, Any]) -> dict[str, Any]:
    """Return a line as text that is no Markdown."""
    return {"type": "RichTextBlock", "spacing": "Small", "inlines": [{**run, **look} for run in _runs(line or " ")]}


def _runs(line: str) -> Iterator[dict[str, Any]]:
    """Yield the parts of a line: addresses lead to where they say."""
    end = 0
    for link in islice(LINK.finditer(line), LINKS):
        if link.start() > end:
            yield {"type": "TextRun", "text": line[end : link.start()]}
        yield {"type": "TextRun", "text": link[0], "selectAction": {"type": "Action.OpenUrl", "url": link[0]}}
        end = link.end()
    if end < len(line):
        yield {"type": "TextRun", "text": line[end:]}
