"""What many tests need: a ledger, a ticket, and a local server."""

import gc
import json
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from changewindow.cli import embedded
from changewindow.cli.standalone import ROOT
from changewindow.ledger import database
from changewindow.ledger.database import Ledger
from changewindow.policy.check import Facts
from changewindow.policy.review import load_file
from support import airflow_without_database, bytecode, ledgers  # noqa: F401  before any test imports Airflow
from support.changes import NOW
from support.recording_server import RecordingServer, recording_server

hypothesis.settings.register_profile("shared machine", deadline=None)
hypothesis.settings.load_profile("shared machine")  # how long a case takes there says nothing


def pytest_sessionstart(session: pytest.Session) -> None:
    """Share the work of compiling with the other workers: each for itself took four seconds of each."""
    bytecode.compile_a_share(session.config)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Search for garbage in what the tests make, and not in the modules, again and again: a fifth of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 10, 50)  # seldom, too: tests keep little
        gc.enable()


def pytest_sessionfinish() -> None:
    """End without a last search for garbage: what is there ends with the process."""
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _keys_and_heads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Seal with a key of the tests, keep heads where they end with the tests, and know no demo of this checkout."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHANGEWINDOW_SEAL_KEY", "the-key-with-which-all-tests-seal")
        patch.setattr(embedded, "DEMO", Path("/none"))
        patch.setenv("CHANGEWINDOW_HEADS", str(tmp_path_factory.mktemp("heads")))
        patch.setattr(database, "engine_of", ledgers.quick_engine)
        yield


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    """Serve what the test wants to be answered."""
    with recording_server() as serving:
        yield serving


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Return an empty ledger."""
    return ledgers.on_sqlite(tmp_path)


@pytest.fixture
def ticket_data() -> dict[str, Any]:
    """Return the data of an example ticket."""
    data: dict[str, Any] = json.loads(json.dumps(load_file(ROOT / "include/tickets/release.yaml", Facts(now=NOW)).data))
    return data
