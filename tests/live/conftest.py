"""What the tests in a real cluster need; without one, they are skipped."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from changewindow.systems.context import Context
from servers.kubernetes.live import LiveCluster, running
from servers.kubernetes.shop import watched


@pytest.fixture
def cluster() -> Iterator[LiveCluster]:
    """Return a cluster with a cart that is ready when the file /ready is there, and gives up after some seconds."""
    path = os.environ.get("CHANGEWINDOW_KUBECONFIG")
    if not path:
        pytest.skip("tests/live/cluster.sh runs this")
    with running(Path(path)) as made:
        made.make(watched("Deployment", "cart", progressDeadlineSeconds=8))
        made.settle(made.is_settled)
        yield made


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Return what stands in the log; it is printed in the end, for whoever wants to read it."""
    lines: list[str] = []
    yield lines
    print("", *lines, sep="\n    ")


@pytest.fixture
def context(cluster: LiveCluster, logged: list[str]) -> Context:
    """Return what a step may use."""
    known = cluster.connection()
    return Context("CHG-1042", 1, lambda _: known, logged.append)
