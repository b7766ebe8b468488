"""A world for `feature_flag`: a service with one flag, which it takes a moment to show."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from changewindow.steps.feature_flag import EXAMPLE
from changewindow.systems.connection import Connection
from step_fixtures import World


class Flags:
    """The flag `checkout`; a management API to set it, and OFREP to read what it evaluates to."""

    def __init__(self) -> None:
        self.value: Any = False
        self.old_answers = 0
        """How often the old value is still answered after a change."""
        self.before: Any = None
        self.asked: list[tuple[str, str, str]] = []
        """Method, path and the header that authenticates, of each request."""

    def set(self, value: Any) -> None:
        """Set the flag; the next two answers are still the old one."""
        self.before, self.value, self.old_answers = self.value, value, 2

    def seen(self) -> Any:
        """Return the value as it is answered."""
        self.old_answers -= 1
        return self.before if self.old_answers >= 0 else self.value


@contextmanager
def serving() -> Iterator[tuple[Flags, str]]:
    """Serve the flag until the end of the block; gives the address too."""
    flags = Flags()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({"key": "checkout", "environments": {"production": {"on": flags.seen()}}})

        def do_PATCH(self) -> None:
            [change] = self._body()
            flags.set(change["value"])
            self._answer({})

        def do_POST(self) -> None:
            body = self._body()
            if self.path.startswith("/ofrep/"):
                user = body["context"]["targetingKey"]
                self._answer({"key": "checkout", "value": flags.seen(), "reason": "STATIC", "variant": user})
            else:
                flags.set(self.path.rpartition("/")[2] == "on")
                self._answer({})

        def _body(self) -> Any:
            return json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or b"null")

        def _answer(self, body: Any) -> None:
            flags.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield flags, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give the service; what counts is the flag's value."""
    with serving() as (flags, url):
        known = Connection("example_flags", "http", host=url, password="s3cret-of-flags", extra={"scheme": "Bearer"})
        yield World(EXAMPLE, lambda: flags.value, {"example_flags": known})
