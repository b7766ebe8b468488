"""An answer for `tls`: a server whose certificate is good for thirty days."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from changewindow.sources.tls import EXAMPLE
from source_fixtures import Answers
from support.certificates import certificate


@contextmanager
def place(folder: Path) -> Iterator[Answers]:
    """Show it."""
    name = str(EXAMPLE["host"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate("api", names=(name,), days=30).write(folder / "server.pem"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    host, port = server.server_address[:2]
    try:
        yield Answers({**EXAMPLE, "host": host, "port": port, "name": name}, {"between": [29.9, 30]})
    finally:
        server.shutdown()
        server.server_close()
