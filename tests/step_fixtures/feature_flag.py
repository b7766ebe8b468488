"""A world for `feature_flag`: a service with one flag, which it takes a moment to show."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from changewindow.steps.feature_flag import EXAMPLE
from changewindow.systems.connection import Connection
from step_fixtures import World
from support.recording_server import Request, recording_server


class Flags:
    """The flag `checkout`; a management API to set it, and OFREP to read what it evaluates to."""

    def __init__(self) -> None:
        self.value: Any = False
        self.old_answers = 0
        """How often the old value is still answered after a change."""
        self.before: Any = None
        self.requests: list[Request] = []

    def set(self, value: Any) -> None:
        """Set the flag; the next two answers are still the old one."""
        self.before, self.value, self.old_answers = self.value, value, 2

    def seen(self) -> Any:
        """Return the value as it is answered."""
        self.old_answers -= 1
        return self.before if self.old_answers >= 0 else self.value

    def reply(self, request: Request) -> tuple[int, str]:
        """Answer as the service does, whatever the path of its API."""
        body: Any = {}
        if request.method == "GET":
            body = {"key": "checkout", "environments": {"production": {"on": self.seen()}}}
        elif request.method == "PATCH":
            [change] = json.loads(request.body)
            self.set(change["value"])
        elif request.path.startswith("/ofrep/"):
            user = json.loads(request.body)["context"]["targetingKey"]
            body = {"key": "checkout", "value": self.seen(), "reason": "STATIC", "variant": user}
        else:
            self.set(request.path.rpartition("/")[2] == "on")
        return 200, json.dumps(body)


@contextmanager
def serving() -> Iterator[tuple[Flags, str]]:
    """Serve the flag until the end of the block; gives the address too."""
    flags = Flags()
    with recording_server(flags.reply) as server:
        flags.requests = server.requests
        yield flags, server.url


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give the service; what counts is the flag's value."""
    with serving() as (flags, url):
        known = Connection("example_flags", "http", host=url, password="s3cret-of-flags", extra={"scheme": "Bearer"})
        yield World(EXAMPLE, lambda: flags.value, {"example_flags": known})
