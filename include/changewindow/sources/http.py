"""Sends a GET request and reads its status, its latency in seconds, or a value of its JSON reply by path.

The address comes from an Airflow Connection of type HTTP. `json: database.pool.open` walks the reply by keys and list
positions. Redirects are not followed: their status is the answer.
"""

from typing import Literal

from pydantic import Field

from changewindow import jsonpath
from changewindow.sources.base import Answer, Asking, SourceBase, SourceError

EXAMPLE = {"kind": "http", "connection": "example_service", "path": "/health", "read": "status"}


class Source(SourceBase):
    """A request whose reply is read."""

    connection: str
    """The Airflow Connection with the address of the service."""
    path: str = Field(default="/", pattern="^/")
    read: Literal["status", "latency", "json"] = "status"
    """What is read of the reply."""
    json_path: str = Field(default="", alias="json")
    """Where the value stands in the JSON reply, like `database.pool.open` or `items.0.state`."""

    def says(self) -> str:
        """Say the request and what is read."""
        return f"{self.read}{' ' + self.json_path if self.json_path else ''} of GET {self.path} at {self.connection}"

    async def ask(self, asking: Asking) -> Answer:
        """Send the request."""
        started = asking.now()
        reply = await asking.get(self.connection, self.path)
        query = f"GET {reply.url}"
        if self.read == "status":
            return Answer(reply.status_code, started, query)
        if self.read == "latency":
            return Answer(reply.elapsed.total_seconds(), started, query)
        return Answer(self._pick(reply.text), started, query)

    def _pick(self, text: str) -> bool | float | str:
        try:
            document = jsonpath.parsed(text)
        except LookupError as error:
            raise SourceError("invalid", f"{self.path} did not reply with JSON: {text[:80]!r}") from error
        try:
            found = jsonpath.at(document, self.json_path)
        except LookupError as error:
            raise SourceError("no_data", f"{self.path}: {error.args[0]}") from error
        if not isinstance(found, bool | int | float | str):
            raise SourceError("invalid", f"{self.path} has {type(found).__name__} at {self.json_path}, not one value")
        return found
