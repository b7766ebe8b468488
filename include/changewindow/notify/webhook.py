"""Sends each message as signed JSON to a service of your own, after the Standard Webhooks specification.

The address comes from an Airflow Connection of type HTTP, to which `path` is added. Its password is the secret by which
the receiver verifies what it gets: `whsec_` and the base64 of 24 to 64 random bytes, as this prints:

    echo whsec_$(openssl rand -base64 32)

While you replace it, write the old and the new secret, with a space between: both sign.

The body is `{"type": "change.message", "timestamp": …, "data": {…}}`. `data` has what is known of the change (change,
state, summary, reason, links …) and room, text, key, calls (the user names of those whom it calls), is_loud, and
thread: the `webhook-id` of the change's first message, empty in that one. The headers are

- `webhook-id`, the same whenever the same message is sent again, so that a receiver can leave out what it knows;
- `webhook-timestamp`, the seconds at which it was sent;
- `webhook-signature`: `v1,` and the base64 of the HMAC-SHA256 of `{id}.{timestamp}.{body}`.

The libraries of Standard Webhooks verify that. A status from 200 to 299 means that the receiver has it; redirects are
not followed. A body has 20,000 bytes at most: a long text is cut off, then what is known of the change is left out, and
`is_cut` is true.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from changewindow.documents.text import visible
from changewindow.documents.types import ConnectionName
from changewindow.notify.base import ChannelBase, Message, Reference, Tools, delivered
from changewindow.systems.http.exchange import Request
from changewindow.systems.webhook_signature import signing_headers

EXAMPLE = {"kind": "webhook", "connection": "release_board", "path": "/hooks/messages"}
LARGEST = 20_000
"""Bytes of a body, as the specification wants it."""
LONGEST = 8000, 2000
"""Characters of a text; the second where the first are too many."""


class Channel(ChannelBase):
    """Webhooks."""

    kind: Literal["webhook"] = "webhook"
    connection: ConnectionName
    """The Airflow Connection with the address of the receiver, and the secret that signs."""
    path: str = Field(default="", max_length=150, pattern=r"^(/[\x21-\x7e]*)?$")
    """The path that is added to the address."""

    def place(self, room: str) -> str:
        """Return the connection and the path."""
        return f"webhook {self.connection} {self.path}".rstrip()

    def post(
        self, tools: Tools, room: str, message: Message, *, below: Reference | None = None, is_loud: bool = False
    ) -> Reference:
        """Post it with what is known of the change; `below` and `is_loud` are said in it."""
        known = tools.known(self.connection)
        identity = _identity(room, message)
        said = {
            "room": room,
            "text": visible(message.sent_at(tools.now())),
            "key": message.key,
            "calls": list(message.calls),
            "is_loud": is_loud,
            "thread": below.id if below else "",
        }
        body = _body(message, said)
        headers = signing_headers(known, identity, tools.now(), body)
        request = Request("POST", f"{known.base_url}{self.path}", body, headers, within=tools.within)
        delivered(request, known, f"the receiver of '{known.name}'", tools.now())
        return Reference("", identity)


def _identity(room: str, message: Message) -> str:
    """Return the same for a message whenever it is sent into this room."""
    named = f"{message.key or message.text}\n{room}"
    return f"msg_{hashlib.sha256(named.encode(errors='surrogatepass')).hexdigest()[:32]}"


def _body(message: Message, said: Mapping[str, Any]) -> bytes:
    """Return the body: as much of it as its receiver takes."""
    text = str(said["text"])
    shorter = [{**said, "text": text[:most], "is_cut": most < len(text)} for most in LONGEST]
    for data in ({**message.facts, **shorter[0]}, {**message.facts, **shorter[1]}):
        body = _encoded(message, data)
        if body and len(body) <= LARGEST:
            return body
    return _encoded(message, {**shorter[1], "calls": [], "is_cut": True}) or b"{}"


def _encoded(message: Message, data: Mapping[str, Any]) -> bytes | None:
    """Return data as the body; None where they are no JSON."""
    whole = {"type": "change.message", "timestamp": message.about.isoformat(), "data": data}
    try:
        return json.dumps(whole, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode(errors="replace")
    except (ValueError, TypeError):
        return None
