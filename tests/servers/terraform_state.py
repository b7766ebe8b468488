"""A server that keeps the state of a Terraform or OpenTofu configuration, and its lock."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from support.recording_server import Request, recording_server


@dataclass
class States:
    """A server that keeps one state and its lock, as the backend `http` wants it."""

    url: str = ""
    state: str = ""
    lock: dict[str, Any] = field(default_factory=dict)
    is_broken: bool = False
    """Whether it takes no new state, and does not give back the lock either."""

    @property
    def backend(self) -> str:
        """Return the configuration that stores the state here."""
        named = "".join(f'    {name} = "{self.url}"\n' for name in ("address", "lock_address", "unlock_address"))
        return f'terraform {{\n  backend "http" {{\n    retry_max = 0\n{named}  }}\n}}\n'

    def reply(self, request: Request) -> tuple[int, str]:
        """Answer as the backend `http` wants it."""
        if request.method == "GET":
            return (200, self.state) if self.state else (404, "")
        if self.is_broken and request.method in {"POST", "UNLOCK"}:
            return 500, ""
        if request.method == "LOCK" and self.lock:
            return 423, json.dumps(self.lock)
        if request.method == "POST":
            self.state = request.body
        else:
            self.lock = json.loads(request.body) if request.method == "LOCK" else {}
        return 200, ""


@contextmanager
def serving(states: States) -> Iterator[States]:
    """Serve a state."""
    with recording_server(states.reply) as server:
        states.url = server.url
        yield states
