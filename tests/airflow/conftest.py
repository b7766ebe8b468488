"""A real Airflow, started as the demo starts it, with a service to change and a Slack to talk to.

The workers of pytest share one, which saves starts and lets tests wait side by side. A test that disturbs others (it
breaks the policy, stops the line or Airflow itself) is marked `xdist_group("alone")` and gets an Airflow that no other
worker uses.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.nodeid import coerce_node_id

from servers import embedded_airflow
from support.real_airflow import LEASE, Probe, RealAirflow
from support.recording_server import recording_server

CALM = {"AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3"}
"""The schedulers of the embedded default look ten times a second; two of them would take a quarter of a core here."""

LONG = (
    *("test_every_kind", "test_eight_steps", "test_watch", "test_clicks", "test_road", "test_scheduling", "test_door"),
    *("test_emergency", "test_told", "test_retroactive", "test_decided_in_slack"),
    *("test_in_browser", "test_every_step", "test_ansible", "test_terraform"),
)
"""The files with the longest tests, which go first, so that no worker ends long after the others."""

LAST = "test_silences"
"""The file that goes last: its last test kills the Airflow that no other worker uses."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark our tests, and order them, groups first; what needs no Airflow comes last, each file a group."""
    order = {stem: number for number, stem in enumerate((*LONG, "", LAST))}
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    of_others = [item for item in items if Path(__file__).parent not in item.path.parents]
    ours.sort(key=lambda item: (not item.get_closest_marker("xdist_group"), order.get(item.path.stem, order[""])))
    for item in ours:
        item.add_marker(pytest.mark.integration)
    of_others.sort(key=lambda item: order.get(item.path.stem, order[""]))
    for item in of_others:
        item.add_marker(pytest.mark.xdist_group(item.path.stem))
    items[:] = [*ours, *of_others]
    if getattr(config.option, "loadgroup", False):
        _name_groups(items)


def _name_groups(items: list[pytest.Item]) -> None:
    """Keep groups together: pytest-xdist 3.8 writes them where pytest 9.2 no longer reads the name of a test."""
    for item in items:
        group = item.get_closest_marker("xdist_group")
        if group and "@" not in item.nodeid.rpartition("]")[2]:
            item._id = coerce_node_id(f"{item.nodeid}@{group.args[0]}")


@pytest.fixture(scope="session")
def probe() -> Iterator[Probe]:
    """Serve /health with the status that the test sets, and Slack's chat.postMessage."""
    state = Probe()
    with recording_server(state.reply) as server:
        state.url = server.url
        yield state


@pytest.fixture(scope="session")
def shared_airflow(tmp_path_factory: pytest.TempPathFactory, probe: Probe) -> Iterator[RealAirflow]:
    """Use the Airflow of all workers."""
    folder = tmp_path_factory.getbasetemp()
    of_all = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with embedded_airflow.shared(of_all / "shared_airflow", probe, CALM) as running:
        yield running


@pytest.fixture(scope="session")
def own_airflow(tmp_path_factory: pytest.TempPathFactory, probe: Probe) -> Iterator[RealAirflow]:
    """Start an Airflow that no other worker uses, where silences have a short lease."""
    settings = {**CALM, "CHANGEWINDOW_SILENCE_LEASE": str(LEASE)}
    with embedded_airflow.running(tmp_path_factory.mktemp("own_airflow"), probe, **settings) as running:
        yield running


@pytest.fixture
def airflow(request: pytest.FixtureRequest, probe: Probe) -> RealAirflow:
    """Return the Airflow that suits the test, with a service that is well."""
    probe.status = 200
    group = request.node.get_closest_marker("xdist_group")
    running: RealAirflow = request.getfixturevalue(
        "own_airflow" if group and "alone" in group.args else "shared_airflow"
    )
    return running


@pytest.fixture
def demo_service(airflow: RealAirflow) -> Iterator[None]:
    """Let the service of the demo run; tests with it are of the group of that name, for it is one for all workers."""
    with embedded_airflow.demo_service(airflow):
        yield
