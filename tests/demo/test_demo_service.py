"""The configuration the service follows, and what its routes say."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from demo.configuration import Checkout, git
from demo.database import Database, DatabaseCosts
from demo.service import Orders, Server
from demo.world import AUTHOR, make_repository
from support.web import WEB

QUICK = DatabaseCosts(handshake=0.001, query=0.001, cleanup=0.01)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A service on a database and a repository of its own; without load."""
    with ExitStack() as stack:
        database = Database(costs=QUICK)
        database.start()
        stack.callback(database.stop)
        make_repository(tmp_path / "config.git")
        orders = Orders(Checkout(tmp_path / "config.git", tmp_path / "checkout"), database.address)
        server = Server(("127.0.0.1", 0), orders, CollectorRegistry())
        server.start()
        stack.callback(server.stop)
        yield server


@pytest.fixture
def desk(server: Server, tmp_path: Path) -> Path:
    """Somebody's clone of the service's repository."""
    assert server.orders.config_error is None
    git("clone", "--quiet", str(tmp_path / "config.git"), "desk", folder=tmp_path)
    return tmp_path / "desk"


def push(desk: Path, name: str, text: str | None) -> str:
    """Change one file on main, or remove it; return the commit."""
    (desk / name).unlink() if text is None else (desk / name).write_text(text)
    git("add", "--all", folder=desk)
    git("commit", "--quiet", "--message", f"Change {name}", folder=desk, **AUTHOR)
    git("push", "--quiet", "origin", "main", folder=desk)
    return git("rev-parse", "HEAD", folder=desk)


def get(server: Server, route: str) -> httpx.Response:
    """Ask the service."""
    return WEB.get(f"http://127.0.0.1:{server.server_port}{route}")


def test_health_says_what_runs(server: Server, desk: Path) -> None:
    """The health page names status, version, commit, and how the pool stands."""
    reply = get(server, "/health")
    assert reply.status_code == 200
    assert reply.json() == {
        "status": "ok",
        "version": "v2.14.3",
        "commit": git("rev-parse", "origin/main", folder=desk),
        "config_error": None,
        "pool": {
            "max_open": 20,
            "max_idle": 10,
            "acquire_timeout_ms": 300,
            "in_use": 0,
            "idle": 10,
            "opened": 10,
            "closed": 0,
        },
    }


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        pytest.param("pool.toml", "max_idle = ", "pool.toml: Invalid value", id="not TOML"),
        pytest.param(
            "pool.toml",
            'max_open = 20\nmax_idle = "1"\nacquire_timeout_ms = 300\n',
            "pool.toml: max_idle: Input should be a valid integer",
            id="a number in quotes",
        ),
        pytest.param("release.toml", 'version = "2.15"\n', "release.toml: version: String should", id="no version"),
        pytest.param("release.toml", None, "release.toml: [Errno 2] No such file", id="a missing file"),
    ],
)
def test_keeps_the_old_configuration(server: Server, desk: Path, *, name: str, text: str | None, fault: str) -> None:
    """A configuration that cannot be loaded leaves the old one running, and shows in /health until it is mended."""
    before = get(server, "/health").json()
    push(desk, name, text)
    server.orders.follow()
    broken = get(server, "/health")
    assert broken.status_code == 200
    assert broken.json()["config_error"].startswith(fault)
    assert broken.json() | {"config_error": None} == before

    git("revert", "--no-edit", "HEAD", folder=desk, **AUTHOR)
    git("push", "--quiet", "origin", "main", folder=desk)
    server.orders.follow()
    mended = get(server, "/health").json()
    assert mended["config_error"] is None
    assert mended["commit"] == git("rev-parse", "HEAD", folder=desk)


def test_a_lost_repository_is_no_outage(server: Server, tmp_path: Path) -> None:
    """While the repository cannot be fetched, the service answers and says so."""
    (tmp_path / "config.git").rename(tmp_path / "elsewhere")
    server.orders.follow()
    health = get(server, "/health")
    assert health.status_code == 200
    assert health.json()["config_error"].startswith("git fetch: fatal:")


def test_routes_are_counted_apart(server: Server) -> None:
    """Requests to other routes, known or not, do not show in the numbers of /orders."""
    for route in ("/orders?page=1", "/health", "/metrics", "/nowhere"):
        get(server, route)
    families = text_string_to_metric_families(get(server, "/metrics").text)
    counted = {
        (sample.labels["route"], sample.labels["status"]): sample.value
        for family in families
        for sample in family.samples
        if sample.name == "http_requests_total"
    }
    assert counted == {
        ("/orders", "200"): 1,
        ("/orders", "503"): 0,
        ("/health", "200"): 1,
        ("/metrics", "200"): 1,
        ("unknown", "404"): 1,
    }
