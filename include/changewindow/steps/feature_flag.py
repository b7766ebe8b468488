"""Sets a feature flag and reads it back until the new value is seen; undo writes the value that was there before.

`read` says where the value stands: a path, and `json`, the place in the reply. With `ask` (a body) the question is a
POST, as OFREP, the OpenFeature Remote Evaluation Protocol, wants it: `path: /ofrep/v1/evaluate/flags/checkout`,
`ask: {context: {targetingKey: probe}}`, `json: value`. OFREP only reads, so `write` is a request to the management API
of the flag service, in which `{{value}}` stands for the value (with its type where it is all of a text) and
`{{on_or_off}}` for `on` or `off`; sending it twice must do no harm. Where the two are different services, `read` has a
connection of its own. If somebody else has set a third value meanwhile, neither apply nor undo overwrites it.

The Airflow Connection (type `http`): host, login and password; or, where the service wants a token, extra `header`
(like `Authorization` or `X-API-Key`) and `scheme` (like `Bearer`), which carry the password.
"""

import json
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field, JsonValue

from changewindow.documents.types import ConnectionName, Model
from changewindow.errors import StepFailed
from changewindow.steps.base import Memory, StepBase
from changewindow.systems import authorization
from changewindow.systems.context import Context
from changewindow.systems.http import json_path

EXAMPLE = {
    "name": "Switch the new checkout on",
    "kind": "feature_flag",
    "connection": "example_flags",
    "value": True,
    "read": {"path": "/api/flags/checkout", "json": "environments.production.on"},
    "write": {
        "method": "PATCH",
        "path": "/api/flags/checkout",
        "body": [{"op": "replace", "path": "/environments/production/on", "value": "{{value}}"}],
    },
}
VALUE, ON_OR_OFF = "{{value}}", "{{on_or_off}}"
OFTEN = 0.5
"""Seconds between two looks at the flag."""


class Read(Model):
    """Where the value of the flag is read."""

    path: str = Field(pattern="^/")
    json_path: str = Field(alias="json", min_length=1)
    """Where the value stands in the JSON reply, like `environments.production.on`."""
    ask: JsonValue = None
    """The body of a POST that only reads; without it, the request is a GET."""
    connection: ConnectionName = ""
    """The Airflow Connection of the service that evaluates flags, where it is another one."""


class Write(Model):
    """The request that sets the flag."""

    method: Literal["PUT", "PATCH", "POST", "DELETE"] = "PUT"
    path: str = Field(pattern="^/")
    body: JsonValue = None


class Step(StepBase):
    """A flag, and its new value."""

    kind: Literal["feature_flag"] = "feature_flag"
    is_configuration: ClassVar[bool] = True
    why_not_before_approval: ClassVar[str] = "it may ask by a POST of the ticket's choosing"

    connection: ConnectionName
    """The Airflow Connection of the flag service."""
    value: JsonValue
    """Its new value: true, false, a number, a text …"""
    read: Read
    """Where its value is read: `path`, `json`, and for a POST `ask`."""
    write: Write
    """What sets it: `method`, `path` and `body`, with `{{value}}`."""

    def does(self) -> str:
        """Describe the flag and its value."""
        return f"{self.write.method} {self.write.path} at {self.connection} to set the flag to {json.dumps(self.value)}"

    def undoes(self) -> str:
        """Describe what is restored."""
        return f"{self.write.method} {self.write.path} at {self.connection} to set the flag back to what it was"

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return why the flag cannot be read, or set to another kind of value."""
        now = self._now(context)
        if _kind(now) != _kind(self.value):
            problem = f"the flag is {json.dumps(now)} and shall be {json.dumps(self.value)}, which is not the same type"
            return [f"{problem}; correct `value` or `read`"]
        if not _same(now, self.value) and self._request(now) == self._request(self.value):
            problem = f"`write` sends the same for {json.dumps(self.value)} and for {json.dumps(now)}"
            return [f"{problem}, so undo could not set the flag back; put `{VALUE}` into it"]
        return []

    def remember(self, context: Context) -> Memory:
        """Return the value of the flag."""
        return {"before": self._now(context)}

    def apply(self, context: Context, remembered: Memory) -> None:
        """Set the flag, if it still is what was remembered."""
        self._set(context, remembered, self.value)

    def undo(self, context: Context, remembered: Memory) -> None:
        """Set the flag back, also when it looks so already: a service may show for a while what was before apply."""
        self._set(context, remembered, remembered["before"])

    def _set(self, context: Context, remembered: Memory, wanted: Any) -> None:
        now, before = self._now(context), remembered["before"]
        if not _same(now, before) and not _same(now, self.value):
            raise StepFailed(
                f"Somebody else has set the flag: it is {json.dumps(now)} now, and neither {json.dumps(self.value)}, "
                f"which this change writes, nor {json.dumps(before)}, which was there before. Nothing was overwritten. "
                "Find out who set it, and set it by hand."
            )
        self._send(context, wanted)
        self._until_seen(context, wanted)

    def _until_seen(self, context: Context, wanted: Any) -> None:
        expected = f"the flag at {self.read.path} of {self._reader} is {json.dumps(wanted)}"
        latest: list[str] = []

        def is_seen() -> bool:
            try:
                value = self._now(context)
            except StepFailed as error:
                latest[:] = [f"The last answer: {error}"]
                return False
            latest[:] = [f"It is {json.dumps(value)}."]
            return _same(value, wanted)

        try:
            context.until(expected, is_seen, within=self.timeout * 0.8, every=OFTEN)
        except StepFailed as error:
            raise StepFailed(f"{error} {' '.join(latest)}") from error

    def _send(self, context: Context, value: Any) -> None:
        path, body = self._request(value)
        headers = authorization.headers(context.connection(self.connection))
        reply = context.call(self.connection, self.write.method, path, body, headers=headers)
        if not context.dry_run and not 200 <= reply.status < 300:
            raise StepFailed(
                f"{self.write.method} {path} at {self.connection} answered {reply.status}: {reply.text[:200]!r}. "
                f"Correct `write`, or what the connection's account may do."
            )

    def _request(self, value: Any) -> tuple[str, Any]:
        """Return path and body of the request that sets the flag to a value."""
        path = _filled(self.write.path, quote(value, safe="") if isinstance(value, str) else value)
        return path, _filled(self.write.body, value)

    def _now(self, context: Context) -> Any:
        headers = authorization.headers(context.connection(self._reader))
        reply = context.ask(self._reader, self.read.path, headers, body=self.read.ask)
        where = f"{self.read.path} at {self._reader}"
        if not 200 <= reply.status < 300:
            problem = (
                "has no such flag (404): create it" if reply.status == 404 else f"answered {reply.status}: see why"
            )
            raise StepFailed(f"{where} {problem}, or correct `read`.")
        try:
            return json_path.at(json_path.parsed(reply.text), self.read.json_path)
        except LookupError as error:
            raise StepFailed(f"The flag cannot be read from {where}: {error.args[0]}. Correct `read`.") from error

    @property
    def _reader(self) -> str:
        return self.read.connection or self.connection


def _filled(part: Any, value: Any) -> Any:
    """Put a value into a request."""
    if isinstance(part, dict):
        return {key: _filled(item, value) for key, item in part.items()}
    if isinstance(part, list):
        return [_filled(item, value) for item in part]
    if part == VALUE:
        return value
    if not isinstance(part, str):
        return part
    text = value if isinstance(value, str) else json.dumps(value)
    # The value comes last: what looks like a place for one within it is its own.
    return part.replace(ON_OR_OFF, "on" if value else "off").replace(VALUE, text)


def _same(left: Any, right: Any) -> bool:
    """Compare as JSON does: true is not 1, and 50 is 50.0."""
    first, second = (json.loads(json.dumps(value), parse_float=_number) for value in (left, right))
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


def _number(text: str) -> float:
    """Return a number, as a whole one where nothing stands behind its point."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _kind(value: Any) -> str:
    """Return the JSON type of a value; all numbers are of one."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "number" if is_number else type(value).__name__
