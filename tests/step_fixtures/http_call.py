"""A world for `http_call`: a service with one flag."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from changewindow.steps.http_call import EXAMPLE
from changewindow.systems.connection import Connection
from step_fixtures import World


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Serve the flag, which is off at first."""
    state = {"flag": '{"enabled": false}'}

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            state["flag"] = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    known = Connection("example_service", "http", host=url, login="robot", password="s3cret-of-the-service")
    yield World(EXAMPLE, lambda: dict(state), {"example_service": known})
    server.shutdown()
    server.server_close()
