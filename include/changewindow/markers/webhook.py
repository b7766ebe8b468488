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

import json
from typing import Literal

from pydantic import Field

from changewindow.documents.types import ConnectionName
from changewindow.markers.base import MarkerBase, Moment, api_of
from changewindow.systems.http.api import Product
from changewindow.systems.measurement import SourceContext
from changewindow.systems.webhook_signature import NEEDS, signing_headers

EXAMPLE = {"kind": "webhook", "connection": "release_board", "path": "/hooks/changes"}
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
        known = await context.connection(self.connection)
        message = {"type": f"change.{moment.kind}", "timestamp": moment.at.isoformat(), "data": moment.facts()}
        body = json.dumps(message, separators=(",", ":")).encode()
        identity = f"msg_{moment.id}"
        headers = signing_headers(known, identity, context.now(), body)
        receiver = api_of(context, self.connection, PRODUCT)
        await receiver.deliver("POST", self.path, body, headers=headers)
        return identity
