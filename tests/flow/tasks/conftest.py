"""What the tests of tasks share."""

import json
from pathlib import Path

import pytest

from changewindow.ledger.database import Ledger
from support.started_change import StartedChange


@pytest.fixture
def started(tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> StartedChange:
    """Return a change whose run has passed the gate."""
    known = {"conn_type": "sqlite", "host": str(ledger.url.database)}
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps(known))
    monkeypatch.setenv("CHANGEWINDOW_SPOOL", str(tmp_path / "spool.jsonl"))
    return StartedChange(tmp_path, ledger)
