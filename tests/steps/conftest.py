"""What the tests of several kinds of step need: a cluster, and a step's context in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from changewindow.systems.context import Context
from servers.kubernetes import ApiServer, local
from servers.kubernetes.shop import workload

WITH_PROGRAMS = {"alembic", "ansible", "config_file", "flyway", "git_change", "ssh_command", "terraform"}
"""The kinds of which each test starts programs for seconds; they are marked, for `make fast` leaves them out."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of these kinds, in their own files and among those that hold for every kind."""
    here = f"{Path(__file__).parent}/test_"
    for item in items:
        if str(item.path).startswith(here) and any(map(_about(item).startswith, WITH_PROGRAMS)):
            item.add_marker(pytest.mark.integration)


def _about(item: pytest.Item) -> str:
    """Return what a test is about, its kind first: `test_terraform_one_way` and `test_…[terraform]`, terraform."""
    case = getattr(item, "callspec", None)
    if item.path.stem == "test_every_step":
        return case.id if case else ""
    return item.path.stem.removeprefix("test_")


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
