"""The HTTP server of the tests: it answers as a test wants, and records every request."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from requests.structures import CaseInsensitiveDict


class Request(NamedTuple):
    """What somebody sent."""

    method: str
    target: str
    """The path with its query, as it was sent."""
    headers: Mapping[str, str]
    body: str

    @property
    def path(self) -> str:
        """Return the path without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, list[str]]:
        """Return the values of each parameter of the query."""
        return parse_qs(self.target.partition("?")[2])


@dataclass(frozen=True)
class Reply:
    """What is sent back."""

    status: int = 200
    body: str | bytes | Iterable[bytes] = b""
    """Text, bytes, or pieces that are sent one by one as they come."""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    """The length that is claimed, where it is not the true one."""
    delay: float = 0
    """Seconds until it is sent."""
    is_lost: bool = False
    """Whether the connection is closed instead, without a word."""


Answer = Reply | tuple[int, str] | Callable[[Request], "Reply | tuple[int, str]"]


@dataclass
class RecordingServer:
    """Which answers are given, and which requests came."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    """By method and path (`GET /health`), or by path for all methods."""
    otherwise: Answer = (404, "")
    """The answer to every other request."""
    headers: dict[str, str] = field(default_factory=dict)
    """What every answer has besides its own headers."""
    requests: list[Request] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Return the port it listens on."""
        return int(self.url.rpartition(":")[2])

    def reply(self, request: Request) -> Reply:
        """Record a request and return the reply to it."""
        self.requests.append(request)
        by_path = self.answers.get(request.path, self.otherwise)
        answer = self.answers.get(f"{request.method} {request.path}", by_path)
        made = answer(request) if callable(answer) else answer
        return made if isinstance(made, Reply) else Reply(*made)


class _Handler(BaseHTTPRequestHandler):
    """Speaks HTTP for a server."""

    server: "_Listener"
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name: str) -> Any:
        """Handle every method alike, whatever it is called."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def handle(self) -> None:
        """Answer until the client goes, which it may do at any time."""
        with suppress(ConnectionError, ssl.SSLError):
            super().handle()

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode(errors="surrogateescape")
        request = Request(self.command, self.path, CaseInsensitiveDict(self.headers.items()), body)
        reply = self.server.recording.reply(request)
        time.sleep(reply.delay)
        if reply.is_lost:
            self.close_connection = True
        else:
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        body = reply.body.encode() if isinstance(reply.body, str) else reply.body
        headers = {"Date": self.date_time_string(), **self.server.recording.headers, **reply.headers}
        if not self.server.keeps_alive:
            headers["Connection"] = "close"
        if reply.status in {301, 302}:
            headers.setdefault("Location", "/elsewhere")
        length = len(body) if reply.length is None and isinstance(body, bytes) else reply.length
        headers |= {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}
        self.send_response_only(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        for piece in (body,) if isinstance(body, bytes) else _chunks(body):
            self.wfile.write(b"" if self.command == "HEAD" else piece)

    def log_message(self, *_: Any) -> None:
        """Stay silent."""


def _chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    yield b"0\r\n\r\n"


class _Listener(ThreadingHTTPServer):
    """Accepts connections until it is closed, at which moment nobody waits for a poll."""

    def __init__(self, recording: RecordingServer, port: int, *, tls: Path | None, keeps_alive: bool) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.recording, self.keeps_alive, self.is_open = recording, keeps_alive, True
        recording.url = f"http{'s' if tls else ''}://127.0.0.1:{self.server_address[1]}"

    def accept(self) -> None:
        """Take connections until the end."""
        while self.is_open:
            with suppress(OSError):
                self.process_request(*self.get_request())

    def close(self) -> None:
        """Wake who waits for a connection, and let it end."""
        self.is_open = False
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


@contextmanager
def recording_server(
    otherwise: Answer = (404, ""), *, tls: Path | None = None, port: int = 0, keeps_alive: bool = False
) -> Iterator[RecordingServer]:
    """Serve on this machine until the block ends; with TLS, if there is a file with certificate and key."""
    recording = RecordingServer(otherwise=otherwise)
    listener = _Listener(recording, port, tls=tls, keeps_alive=keeps_alive)
    accepting = threading.Thread(target=listener.accept, daemon=True)
    accepting.start()
    try:
        yield recording
    finally:
        listener.close()
        accepting.join()
        listener.server_close()
