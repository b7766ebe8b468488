"""A real Airflow for the session, started as the demo starts it, with a service to change and a Slack to talk to."""

import json
import os
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from changewindow.cli import standalone
from changewindow.cli.airflow_api import Client, wait_for
from demo.__main__ import POLICY, _has_form, world
from support.real_airflow import Probe, RealAirflow, git

USERS = {"alice": "user", "bob": "user", "carol": "user", "admin": "admin"}


@pytest.fixture(scope="session")
def probe() -> Iterator[Probe]:
    """Serve /health with the status that the test sets, and Slack's chat.postMessage."""
    state = Probe()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = 500 if self.path in state.bad else state.status
            self._reply(status, {"status": status})

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            is_json = text and self.headers.get_content_type() == "application/json"
            body = json.loads(text) if is_json else {}
            state.sent.append((self.path, body))
            self._reply(200, {"ok": True, "ts": f"{len(state.sent)}.0", "channel": body.get("channel")})

        def _reply(self, status: int, body: Any) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield state
    server.shutdown()


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory, probe: Probe) -> Iterator[RealAirflow]:
    """Start the embedded default, as `make demo` does."""
    folder = tmp_path_factory.mktemp("real")
    place = standalone.Place(folder / "airflow", standalone.free_port(), USERS)
    slack = {"conn_type": "slack", "password": "xoxb-of-the-test", "extra": {"base_url": f"{probe.url}/api/"}}
    with world(folder / "world") as reach:
        tickets = empty_repository(folder / "tickets")
        policy = shutil.copytree(POLICY, folder / "policy")
        connections = {
            **reach,
            **bare_dag(place),
            "CHANGEWINDOW_POLICY": str(policy),
            "AIRFLOW_CONN_CHANGEWINDOW_TICKETS": json.dumps({"conn_type": "git", "host": str(tickets)}),
            "AIRFLOW_CONN_PROBE": json.dumps({"conn_type": "http", "host": probe.url}),
            "AIRFLOW_CONN_SLACK_API_DEFAULT": json.dumps(slack),
        }
        process = standalone.start(place, connections)
        try:
            standalone.wait_until_healthy(place, process)
            clients = {user: Client(place.url, user, place.password(user)).log_in() for user in USERS}
            wait_for(lambda: _has_form(clients["alice"]), "the DAG request_change")
            stage = RealAirflow(place, process, clients, connections, policy)
            yield stage
            for one in stage.started:
                standalone.stop(one)
        finally:
            standalone.stop(process)
            print((Path(place.home) / "standalone.log").read_text()[-2000:])


def bare_dag(place: standalone.Place) -> dict[str, str]:
    """Return what adds a DAG that is not ours to the environment of Airflow, to measure against."""
    folder = Path(__file__).with_name("bare")
    path = f"{standalone.ROOT / 'include'}{os.pathsep}{folder}"
    return {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": standalone.bundles(place, bare=folder),
        "PYTHONPATH": path,
    }


def empty_repository(folder: Path) -> Path:
    """Make a repository of tickets in which there is none yet."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Begin")
    return folder


@pytest.fixture(autouse=True)
def _healthy(request: pytest.FixtureRequest) -> None:
    """Let every test begin with a service that is well."""
    if "probe" in request.fixturenames:
        request.getfixturevalue("probe").status = 200
