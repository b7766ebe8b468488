"""A local HTTP server that answers as a test tells it, and records what it was asked."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from requests.structures import CaseInsensitiveDict


@dataclass
class RecordingServer:
    """A server that answers as it is told, and keeps what it was asked."""

    url: str = ""
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Status and text by path."""
    otherwise: tuple[int, str] = (404, "")
    """The answer on every other path."""
    headers: dict[str, str] = field(default_factory=dict)
    """What every answer says besides."""
    asked: list[tuple[str, str, Mapping[str, str], str]] = field(default_factory=list)
    """Method, path with query, headers and body of each request."""


@contextmanager
def recording_server() -> Iterator[RecordingServer]:
    """Serve what is told."""
    told = RecordingServer()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            told.asked.append((self.command, self.path, CaseInsensitiveDict(self.headers), body))
            status, text = told.answers.get(self.path.split("?")[0], told.otherwise)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            for name, value in told.headers.items():
                self.send_header(name, value)
            if status in {301, 302}:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _answer  # noqa: N815  the names http.server calls

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{http.server_address[1]}"
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield told
    finally:
        http.shutdown()
        http.server_close()
