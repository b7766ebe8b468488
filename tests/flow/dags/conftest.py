"""What the tests of people's DAGs share: a ledger that Airflow knows, and a policy."""

import json
from pathlib import Path

import pytest

from changewindow.ledger.database import Ledger


@pytest.fixture
def known(tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Return the ledger that Airflow knows; every change needs two persons beside who asks for it."""
    fields = {"conn_type": "sqlite", "host": str(ledger.url.database)}
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps(fields))
    monkeypatch.setenv("CHANGEWINDOW_SPOOL", str(tmp_path / "spool.jsonl"))
    monkeypatch.setenv("CHANGEWINDOW_POLICY", str(tmp_path / "policy"))
    (tmp_path / "policy").mkdir()
    groups, levels = "{peers: [bob, erik], seconds: [carol]}", "[{name: p, from: [peers]}, {name: s, from: [seconds]}]"
    rules = f"groups: {groups}\nrules: [{{name: all, levels: {levels}}}]\n"
    (tmp_path / "policy" / "approvals.yaml").write_text(rules)
    (tmp_path / "policy" / "services.yaml").write_text("unlisted: allow\nservices: {}\n")
    (tmp_path / "policy" / "calendar.yaml").write_text("zone: UTC\ndefault: open\n")
    return ledger
