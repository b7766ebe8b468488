"""What the tests of several kinds of step need: a cluster, and a step's context in it."""

from collections.abc import Iterator

import pytest

from changewindow.systems.context import Context
from servers.kubernetes import ApiServer, local
from servers.kubernetes.shop import workload


@pytest.fixture
def cluster() -> Iterator[ApiServer]:
    """Return a cluster with a cart."""
    with local() as made:
        made.make(workload())
        made.settle(made.is_settled)
        yield made


@pytest.fixture
def logged() -> list[str]:
    """Return what stands in the log."""
    return []


@pytest.fixture
def context(cluster: ApiServer, logged: list[str]) -> Context:
    """Return what a step may use."""
    return Context("CHG-1042", 1, lambda _: cluster.connection(), logged.append)
