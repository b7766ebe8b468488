"""The host from which tests declare emergencies; the ledger of a test lies in the same folder."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from changewindow.cli.standalone import ROOT
from support.emergency_terminal import Terminal
from support.recording_server import RecordingServer, Reply, Request


@pytest.fixture
def terminal(tmp_path: Path, server: RecordingServer, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Return a host without Airflow, ledger, Slack and PagerDuty."""
    shutil.copytree(ROOT / "include/policy", tmp_path / "policy")
    shutil.copytree(ROOT / "include/templates", tmp_path / "templates")
    listed = yaml.safe_load((tmp_path / "policy/connections.yaml").read_text())
    listed["connections"]["shop"] = {"services": ["all"], "environments": ["all"]}
    (tmp_path / "policy/connections.yaml").write_text(yaml.safe_dump(listed))
    shop = {"conn_type": "http", "host": server.url, "password": "s3cret-of-the-shop"}
    environment = {
        "AIRFLOW_HOME": str(tmp_path),
        "CHANGEWINDOW_SPOOL": str(tmp_path / "spool.jsonl"),
        "AIRFLOW_CONN_SHOP": json.dumps(shop),
        "CHANGEWINDOW_PASSWORD": "of alice at Airflow",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    made = Terminal(tmp_path, server, environment)

    def reply(_: Request) -> Reply:
        return Reply(200 if made.did[-1:] == ["run-2"] else 404)

    server.otherwise = reply
    return made
