"""Sends each moment of a change as signed JSON to a service of your own, after the Standard Webhooks specification.

The address comes from an Airflow Connection of type HTTP, to which `path` is added. Its password is the secret by which
the receiver verifies what it gets: `whsec_` and the base64 of 24 to 64 random bytes, as this prints:

    echo whsec_$(openssl rand -base64 32)

While you replace it, write the old and the new secret, with a space between: both sign.

The body is `{"type": "change.began", "timestamp": …, "data": {…}}`. Its type is `change.began`,
`change.rolling_back` or `change.ended`; `data` has change, run, summary, services, environment, outcome
(`running` until it ends), reason, began and ended. The headers are

- `webhook-id`, the same whenever the same moment is sent again, so that a receiver can leave out what it knows;
- `webhook-timestamp`, the seconds at which it was sent;
- `webhook-signature`: `v1,` and the base64 of the HMAC-SHA256 of `{id}.{timestamp}.{body}`.

The libraries of Standard Webhooks verify that. A status from 200 to 299 means that the receiver has it; redirects are
not followed.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Literal

from pydantic import Field

from changewindow.documents.types import ConnectionName
from changewindow.errors import UnusableConnection
from changewindow.markers.base import MarkerBase, Moment, api_of
from changewindow.systems.connection import Connection
from changewindow.systems.http.api import Product
from changewindow.systems.measurement import SourceContext

EXAMPLE = {"kind": "webhook", "connection": "release_board", "path": "/hooks/changes"}
SECRET = "whsec_"  # noqa: S105  it is the prefix of all of them
NEEDS = f"{SECRET} and the base64 of 24 to 64 random bytes, as `echo {SECRET}$(openssl rand -base64 32)` prints"
PRODUCT = Product("The receiver of the webhook", needs=NEEDS, header="")


class Marker(MarkerBase):
    """Webhooks."""

    kind: Literal["webhook"] = "webhook"
    connection: ConnectionName
    """The Airflow Connection with the address of the receiver, and the secret that signs."""
    path: str = Field(default="", pattern=r"^(/[\x21-\x7e]*)?$")
    """The path that is added to the address."""

    async def mark(self, context: SourceContext, moment: Moment) -> str | None:
        """Post the moment."""
        keys = _keys(await context.connection(self.connection))
        message = {"type": f"change.{moment.kind}", "timestamp": moment.at.isoformat(), "data": moment.facts()}
        body = json.dumps(message, separators=(",", ":")).encode()
        identity, sent = f"msg_{moment.id}", str(int(context.now().timestamp()))
        signed = f"{identity}.{sent}.".encode() + body
        headers = {
            "Content-Type": "application/json",
            "webhook-id": identity,
            "webhook-timestamp": sent,
            "webhook-signature": " ".join(_signature(key, signed) for key in keys),
        }
        receiver = api_of(context, self.connection, PRODUCT)
        await receiver.deliver("POST", self.path, body, headers=headers)
        return identity


def _signature(key: bytes, signed: bytes) -> str:
    return f"v1,{base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"


def _keys(connection: Connection) -> list[bytes]:
    """Return the keys that sign.

    Raises:
        UnusableConnection: the password is none, or holds something else.
    """
    try:
        keys = [base64.b64decode(secret.removeprefix(SECRET), validate=True) for secret in connection.password.split()]
    except (binascii.Error, ValueError):
        keys = []
    is_marked = all(secret.startswith(SECRET) for secret in connection.password.split())
    if not keys or not is_marked or not all(24 <= len(key) <= 64 for key in keys):
        raise UnusableConnection(connection.name, f"secret in its password that can sign; it must be {NEEDS}")
    return keys
