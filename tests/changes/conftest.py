"""A place where a terminal carries out emergencies."""

from pathlib import Path

import pytest

from changewindow.ledger.database import Ledger
from support.direct_place import Place
from support.recording_server import RecordingServer, Reply, Request


@pytest.fixture
def place(tmp_path: Path, server: RecordingServer) -> Place:
    """Return one whose service is up while the last line says that step 2 ran."""
    (tmp_path / "home").mkdir()
    ledger = Ledger(f"sqlite:///{tmp_path / 'home' / 'ledger.db'}")
    ledger.upgrade()
    made = Place(tmp_path, ledger, server)

    def reply(_: Request) -> Reply:
        return Reply(200 if made.did[-1:] == ["run-2"] else 404)

    server.otherwise = reply
    return made
