"""The whole world as a process of its own: the story, and how it begins and ends."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from demo.configuration import ConfigError, git
from demo.world import AUTHOR, make_repository

pytestmark = pytest.mark.integration

INCLUDE = Path(__file__).parents[2] / "include"
WEB = httpx.Client(trust_env=False)  # one for all: making one costs more than a request
Eventually = Callable[..., None]


@dataclass(frozen=True)
class Reading:
    """What /metrics says about /orders at one moment, and about everything else."""

    good: float
    bad: float
    buckets: dict[float, float]
    samples: dict[str, float] = field(repr=False)

    def error_ratio_since(self, before: "Reading") -> float:
        """Return the share of failed requests."""
        bad = self.bad - before.bad
        return bad / max(1.0, bad + self.good - before.good)

    def p99_since(self, before: "Reading") -> float:
        """Return the upper bound of the bucket that holds the 99th percentile."""
        rank = 0.99 * (self.buckets[float("inf")] - before.buckets[float("inf")])
        return min(bound for bound, count in self.buckets.items() if count - before.buckets[bound] >= rank)


@dataclass(frozen=True)
class World:
    """A running world, seen from outside."""

    process: subprocess.Popen[str]
    folder: Path

    @property
    def facts(self) -> dict[str, Any]:
        """What its file says."""
        return dict(json.loads((self.folder / "world.json").read_text()))

    def health(self) -> dict[str, object]:
        """Return the health page."""
        return dict(WEB.get(f"{self.facts['service_url']}/health").json())

    def read(self) -> Reading:
        """Read the metrics."""
        families = text_string_to_metric_families(WEB.get(f"{self.facts['service_url']}/metrics").text)
        samples = [sample for family in families for sample in family.samples]
        requests = {
            (sample.labels["route"], sample.labels["status"]): sample.value
            for sample in samples
            if sample.name == "http_requests_total"
        }
        buckets = {
            float(sample.labels["le"]): sample.value
            for sample in samples
            if sample.name == "http_request_duration_seconds_bucket" and sample.labels["route"] == "/orders"
        }
        plain = {sample.name: sample.value for sample in samples if not sample.labels}
        return Reading(requests["/orders", "200"], requests["/orders", "503"], buckets, plain)

    def observe(self, eventually: Eventually, requests: int) -> tuple[Reading, Reading]:
        """Return two readings with at least this many requests to /orders between them."""
        before = self.read()

        def enough() -> bool:
            now = self.read()
            return now.good + now.bad - before.good - before.bad >= requests

        eventually(enough, 30)
        return before, self.read()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], World]]:
    """Start worlds; end those that still live."""
    processes: list[subprocess.Popen[str]] = []

    def start(name: str) -> World:
        command = [sys.executable, "-m", "demo.world", "--folder", str(tmp_path / name)]
        environment = os.environ | {"PYTHONPATH": str(INCLUDE)}
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        return World(process, tmp_path / name)

    yield start
    for process in processes:
        process.kill()
        process.wait()


def is_ready(world: World) -> bool:
    """Return whether the world has announced itself and has taken its first orders."""
    assert world.process.poll() is None, world.process.communicate()[1]
    with suppress(FileNotFoundError):
        return world.read().good > 0
    return False


def is_open(url: str) -> bool:
    """Return whether somebody listens there."""
    parts = urlsplit(url)
    with socket.socket() as caller:
        return caller.connect_ex((parts.hostname, parts.port)) == 0


def is_alive(pid: int) -> bool:
    """Return whether this process runs; one that ended and was not yet fetched does not."""
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def merge(desk: Path, branch: str) -> None:
    """Merge a branch into main, as its owner would."""
    git("merge", "--quiet", "--no-ff", "--no-edit", f"origin/{branch}", folder=desk, **AUTHOR)
    git("push", "--quiet", "origin", "main", folder=desk)


def test_the_story(start: Callable[[str], World], eventually: Eventually, tmp_path: Path) -> None:
    """A release harms nobody; max_idle 1 breaks the service until it is reverted."""
    world = start("world")
    eventually(lambda: is_ready(world), 30)
    desk = tmp_path / "desk"
    git("clone", "--quiet", world.facts["repository"], str(desk), folder=tmp_path)

    def is_healthy() -> bool:
        before, after = world.observe(eventually, 80)
        return after.bad == before.bad and after.p99_since(before) < 0.2

    merge(desk, "release/v2.15.0")
    eventually(lambda: world.health()["version"] == "v2.15.0")
    eventually(is_healthy, 30)
    assert world.read().bad == 0

    merge(desk, "tune/max-idle-1")
    eventually(lambda: world.read().bad > 0)
    before, after = world.observe(eventually, 60)
    assert after.error_ratio_since(before) > 0.1
    assert after.p99_since(before) > 0.2
    assert after.samples["pool_connections_closed_total"] > 20, "connections churn"
    before, after = world.observe(eventually, 80)
    assert after.error_ratio_since(before) > 0.1, "the service must not heal by itself"

    git("revert", "--no-edit", "--mainline", "1", "HEAD", folder=desk, **AUTHOR)
    git("push", "--quiet", "origin", "main", folder=desk)
    eventually(is_healthy, 30)
    health = world.health()
    assert health["status"] == "ok"
    assert health["version"] == "v2.15.0"
    assert health["commit"] == git("rev-parse", "HEAD", folder=desk)


def test_ends_when_told(start: Callable[[str], World], eventually: Eventually) -> None:
    """SIGTERM ends the world in peace: no port, no file, no complaint."""
    world = start("world")
    eventually(lambda: is_ready(world), 30)
    url = world.facts["service_url"]
    world.process.terminate()
    _, complaint = world.process.communicate(timeout=15)
    assert world.process.returncode == 0
    assert complaint == ""
    assert not is_open(url)
    assert not (world.folder / "world.json").exists()


def test_ends_with_its_parent(eventually: Eventually, tmp_path: Path) -> None:
    """A world whose parent was killed does not stay behind."""
    command = f"{sys.executable} -m demo.world --folder {tmp_path} & wait"
    parent = subprocess.Popen(["sh", "-c", command], env=os.environ | {"PYTHONPATH": str(INCLUDE)})
    file = tmp_path / "world.json"
    eventually(file.exists, 30)
    facts = json.loads(file.read_text())
    assert is_alive(facts["pid"])
    parent.kill()
    parent.wait()
    eventually(lambda: not is_alive(facts["pid"]))
    assert not is_open(facts["service_url"])


def test_worlds_live_side_by_side(start: Callable[[str], World], eventually: Eventually) -> None:
    """Two worlds in two folders do not disturb each other; a second one in the same folder is refused."""
    left, right = start("left"), start("right")
    eventually(lambda: is_ready(left) and is_ready(right), 30)
    intruder = start("left")
    _, complaint = intruder.process.communicate(timeout=30)
    assert complaint == f"Another world is running in {left.folder}. Stop it, or choose another --folder.\n"
    left.process.terminate()
    assert left.process.wait(15) == 0
    _, after = right.observe(eventually, 40)
    assert after.bad == 0


def test_begins_anew(start: Callable[[str], World], eventually: Eventually, tmp_path: Path) -> None:
    """What an earlier world left in the folder is gone."""
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / "world.json").write_text('{"service_url": "http://127.0.0.1:1", "pid": 0}')
    repository = tmp_path / "world" / "orders-config.git"
    make_repository(repository)
    git("branch", "left-behind", "main", folder=repository)
    world = start("world")
    eventually(lambda: (world.folder / "world.json").exists() and world.facts["pid"] == world.process.pid, 30)
    assert "left-behind" not in git("branch", folder=repository)


@pytest.mark.parametrize("branches", [("release/v2.15.0", "tune/max-idle-1"), ("tune/max-idle-1", "release/v2.15.0")])
def test_branches_merge_in_any_order(branches: tuple[str, str], tmp_path: Path) -> None:
    """Each branch changes one file, and both merge without conflict whichever comes first."""
    make_repository(tmp_path / "config.git")
    git("clone", "--quiet", "config.git", "desk", folder=tmp_path)
    for branch in branches:
        merge(tmp_path / "desk", branch)
    assert (tmp_path / "desk" / "release.toml").read_text() == 'version = "v2.15.0"\n'
    assert "max_idle = 1\n" in (tmp_path / "desk" / "pool.toml").read_text()


def test_git_says_what_is_wrong(tmp_path: Path) -> None:
    """A git command that fails is named, with git's own words."""
    with pytest.raises(ConfigError, match="git log: fatal: not a git repository"):
        git("log", folder=tmp_path)
