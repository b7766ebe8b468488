"""A server that keeps the state of a Terraform or OpenTofu configuration, and its lock."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class States:
    """A server that keeps one state and its lock, as the backend `http` wants it."""

    url: str = ""
    state: bytes = b""
    lock: dict[str, Any] = field(default_factory=dict)
    is_broken: bool = False
    """Whether it takes no new state, and does not give back the lock either."""

    @property
    def backend(self) -> str:
        """Return the configuration that stores the state here."""
        named = "".join(f'    {name} = "{self.url}"\n' for name in ("address", "lock_address", "unlock_address"))
        return f'terraform {{\n  backend "http" {{\n    retry_max = 0\n{named}  }}\n}}\n'


@contextmanager
def serving(states: States) -> Iterator[States]:
    """Serve a state."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, told = 200, b""
            if self.command == "GET":
                status, told = (200, states.state) if states.state else (404, b"")
            elif states.is_broken and self.command in {"POST", "UNLOCK"}:
                status = 500
            elif self.command == "POST":
                states.state = body
            elif self.command == "LOCK" and states.lock:
                status, told = 423, json.dumps(states.lock).encode()
            else:
                states.lock = json.loads(body) if self.command == "LOCK" else {}
            self.send_response(status)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        do_GET = do_POST = do_LOCK = do_UNLOCK = _answer  # noqa: N815  the names http.server calls

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    states.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield states
    server.shutdown()
    server.server_close()
