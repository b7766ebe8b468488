"""Sends one HTTP request and expects a status; undo sends the request the ticket gives for it.

The address and the credentials come from an Airflow Connection of type HTTP; extra `header` and `scheme` as for
`feature_flag`. Redirects are not followed, and a reply is whole after 30 seconds and 16 MiB or it is none. A request
without a reply fails the step, and undo is sent all the same, because the request may have had its effect. Undo may
also be sent twice: name under its `expect` what is answered when there is nothing to undo, like 404 to a DELETE.
"""

import json
from typing import Any, ClassVar, Literal

from pydantic import Field

from changewindow.documents.types import ConnectionName, Model
from changewindow.errors import StepFailed
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context

EXAMPLE = {
    "name": "Switch the banner on",
    "kind": "http_call",
    "connection": "example_service",
    "method": "PUT",
    "path": "/flags/banner",
    "body": {"enabled": True},
    "undo": {"method": "PUT", "path": "/flags/banner", "body": {"enabled": False}},
}


class Call(Model):
    """One request: method, path and body (sent as JSON), with the statuses that mean success."""

    method: Literal["POST", "PUT", "PATCH", "DELETE", "GET"] = "POST"
    path: str = Field(pattern="^/")
    body: Any = None
    expect: tuple[int, ...] = (200, 201, 202, 204)


class Step(StepBase, Call):
    """A request to send, with the request that undoes it."""

    kind: Literal["http_call"] = "http_call"
    is_configuration: ClassVar[bool] = True
    why_not_before_approval: ClassVar[str] = ""

    connection: ConnectionName
    """The Airflow Connection with the address and credentials of the service."""
    undo_call: Call | Literal["nothing"] = Field(alias="undo")
    """The request that undoes it; `nothing` when the request only reads."""

    def does(self) -> str:
        """Describe the request."""
        return f"{self.method} {self.path} at {self.connection}"

    def undoes(self) -> str:
        """Describe the request of undo."""
        if isinstance(self.undo_call, Call):
            return f"{self.undo_call.method} {self.undo_call.path} at {self.connection}"
        return "nothing to undo"

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return nothing but whether the connection exists: no request can tell whether another will be accepted."""
        _ = context.connection(self.connection).base_url
        return []

    def restored(self, remembered: Memory) -> str:
        """Return the request of undo with its body, in which the value stands."""
        body = self.undo_call.body if isinstance(self.undo_call, Call) else None
        return super().restored(remembered) + ("" if body is None else f" {json.dumps(body, ensure_ascii=False)}")

    def apply(self, context: Context, remembered: Memory) -> None:
        """Send the request."""
        self._send(context, self)

    def undo(self, context: Context, remembered: Memory) -> None:
        """Send the request that undoes it."""
        if isinstance(self.undo_call, Call):
            self._send(context, self.undo_call)
        else:
            context.log("nothing to undo: the ticket says that the request only reads")

    def _send(self, context: Context, call: Call) -> None:
        reply = context.call(self.connection, call.method, call.path, call.body)
        if not context.dry_run and reply.status not in call.expect:
            expected = ", ".join(map(str, call.expect))
            raise StepFailed(
                f"{call.method} {call.path} at {self.connection} answered {reply.status}, expected {expected}: "
                f"{reply.text[:200]}"
            )
