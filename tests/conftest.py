"""What many tests need: a ledger, a ticket, and a local server."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from requests.structures import CaseInsensitiveDict

from changewindow.checks.base import Facts
from changewindow.embedded import ROOT
from changewindow.ledger.database import Ledger
from changewindow.load import load_file
from known import NOW, Told

hypothesis.settings.register_profile("shared machine", deadline=None)
hypothesis.settings.load_profile("shared machine")  # how long a case takes there says nothing


@pytest.fixture
def server() -> Iterator[Told]:
    """Serve what the test tells."""
    told = Told()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            told.asked.append((self.command, self.path, CaseInsensitiveDict(self.headers), body))
            status, text = told.answers.get(self.path.split("?")[0], told.otherwise)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
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
    yield told
    http.shutdown()
    http.server_close()


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Return an empty ledger."""
    made = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    made.upgrade()
    return made


@pytest.fixture
def ticket_data() -> dict[str, Any]:
    """Return the data of an example ticket."""
    data: dict[str, Any] = json.loads(json.dumps(load_file(ROOT / "include/tickets/release.yaml", Facts(now=NOW)).data))
    return data
