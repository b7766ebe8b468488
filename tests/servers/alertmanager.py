"""Runs the Alertmanager of Debian's package on free ports."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from changewindow.cli.airflow_api import wait_for
from step_fixtures import need
from support.ports import free_port
from support.web import WEB

PROGRAM = "prometheus-alertmanager"
CONFIGURATION = """
route: {receiver: nobody, group_wait: 0s, group_interval: 1s}
receivers: [{name: nobody}]
inhibit_rules:
  - source_matchers: [severity="page"]
    target_matchers: [severity="ticket"]
    equal: [service]
"""


@dataclass
class Alertmanager:
    """A running Alertmanager."""

    url: str

    def fire(self, *, minutes: float = 5, **labels: str) -> None:
        """Post an alert as Prometheus does; with a negative time it is resolved."""
        now = datetime.now(UTC)
        starts, ends = (now + timedelta(minutes=some) for some in (-10, minutes))
        alert = {"labels": labels, "startsAt": starts.isoformat(), "endsAt": ends.isoformat()}
        WEB.post(f"{self.url}/api/v2/alerts", json=[alert]).raise_for_status()

    def silence(self, **labels: str) -> None:
        """Silence alerts with these labels."""
        matchers = [{"name": name, "value": value, "isRegex": False} for name, value in labels.items()]
        now = datetime.now(UTC)
        times = {"startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat()}
        body = {"matchers": matchers, **times, "createdBy": "test", "comment": "test"}
        WEB.post(f"{self.url}/api/v2/silences", json=body).raise_for_status()

    def states(self) -> dict[str, str]:
        """Return the state of each alert by its name."""
        alerts: list[dict[str, Any]] = WEB.get(f"{self.url}/api/v2/alerts").json()
        return {alert["labels"]["alertname"]: alert["status"]["state"] for alert in alerts}

    def muting(self, name: str) -> int:
        """Return how many silences an alert has."""
        alerts: list[dict[str, Any]] = WEB.get(f"{self.url}/api/v2/alerts").json()
        return sum(len(alert["status"]["silencedBy"]) for alert in alerts if alert["labels"]["alertname"] == name)


@contextmanager
def running(folder: Path) -> Iterator[Alertmanager]:
    """Run an Alertmanager that inhibits tickets beside pages, and notifies nobody."""
    need(PROGRAM)
    (folder / "alertmanager.yml").write_text(CONFIGURATION)
    port = free_port()
    arguments = [
        PROGRAM,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log)
    try:
        wait_for(lambda: _is_ready(url), "Alertmanager", 30)
        yield Alertmanager(url)
    finally:
        process.kill()
        process.wait()


def _is_ready(url: str) -> bool:
    try:
        return WEB.get(f"{url}/-/ready", timeout=1).is_success
    except httpx.HTTPError:
        return False
