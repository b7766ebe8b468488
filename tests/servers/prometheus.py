"""Runs the Prometheus of Debian's package on a free port, and what it scrapes."""

import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from changewindow.cli.airflow_api import wait_for
from step_fixtures import need
from support.ports import free_port
from support.recording_server import Reply, recording_server
from support.web import WEB

PROGRAM = "prometheus"
METRICS = {"Content-Type": "text/plain; version=0.0.4"}
CONFIGURATION = """
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: orders
    file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]
"""


@dataclass
class Metrics:
    """A metrics endpoint whose counters grow by so much a second."""

    grows: dict[str, float]
    begun: float = field(default_factory=time.monotonic)
    running: ExitStack = field(default_factory=ExitStack)
    is_up: bool = False
    port: int = 0

    def text(self) -> str:
        """Return the metrics as they are now."""
        passed = time.monotonic() - self.begun
        return "".join(f"{name} {by * passed}\n" for name, by in self.grows.items())

    def reset(self) -> None:
        """Let all counters begin at zero, as a service does that is restarted."""
        self.begun = time.monotonic()

    def start(self) -> None:
        """Serve on a free port, and on the same one ever after."""
        serving = recording_server(lambda _: Reply(200, self.text(), METRICS), port=self.port)
        self.port = self.running.enter_context(serving).port
        self.is_up = True

    def stop(self) -> None:
        """Answer nobody any more."""
        self.running.close()
        self.is_up = False


@dataclass
class Prometheus:
    """A Prometheus that can be killed, and started again on the same port and data."""

    folder: Path
    metrics: Metrics
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.port}"

    def scrape(self, *, is_wanted: bool = True) -> None:
        """Write what is to be scraped: the metrics, or nothing."""
        targets = [{"targets": [f"127.0.0.1:{self.metrics.port}"]}] if is_wanted else []
        new = self.folder / "targets.new"
        new.write_text(json.dumps(targets))
        new.rename(self.folder / "targets.json")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        arguments = [
            PROGRAM,
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(arguments, stdout=log, stderr=log)
        wait_for(self._is_ready, "Prometheus", 30, 0.05)

    def kill(self) -> None:
        """Kill it, as a host does that dies."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def value(self, query: str) -> float | None:
        """Return the value of a query that has one series, or None."""
        series = WEB.get(f"{self.url}/api/v1/query", params={"query": query}).json()["data"]["result"]
        return float(series[0]["value"][1]) if series else None

    def _is_ready(self) -> bool:
        try:
            return WEB.get(f"{self.url}/-/ready", timeout=1).is_success
        except httpx.HTTPError:
            return False


@contextmanager
def running(folder: Path, **grows: float) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes, every second, counters that grow by so much a second."""
    need(PROGRAM)
    metrics = Metrics(
        {name.replace("__", '{status="') + ('"}' if "__" in name else ""): by for name, by in grows.items()}
    )
    metrics.start()
    made = Prometheus(folder, metrics)
    (folder / "prometheus.yml").write_text(CONFIGURATION)
    made.scrape()
    try:
        made.start()
        yield made
    finally:
        made.kill()
        metrics.stop()


@contextmanager
def slow_road(port: int) -> Iterator[tuple[int, Callable[[float], None]]]:
    """Lend a port that leads to another one, and a function that says how many seconds each reply takes from now."""
    delay = [0.0]
    listening = socket.create_server(("127.0.0.1", 0))

    def carry(source: socket.socket, target: socket.socket, *, is_back: bool) -> None:
        try:
            while data := source.recv(65536):
                time.sleep(delay[0] if is_back else 0)
                target.sendall(data)
        except OSError:
            return
        finally:
            source.close()
            target.close()

    def accept() -> None:
        while True:
            try:
                near, _ = listening.accept()
                far = socket.create_connection(("127.0.0.1", port))
            except OSError:
                return
            for pair, is_back in (((near, far), False), ((far, near), True)):
                threading.Thread(target=carry, args=pair, kwargs={"is_back": is_back}, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listening.getsockname()[1], lambda seconds: delay.__setitem__(0, seconds)
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
