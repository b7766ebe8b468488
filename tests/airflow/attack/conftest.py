"""One Airflow for all attempts; after each group of them it has to be as well as before.

Run by `make attack`.
"""

import json
import os
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from changewindow.cli import standalone
from changewindow.cli.airflow_api import wait_for
from changewindow.flow.own_dag import ASKS, EMERGENCY, RETROACTIVE
from changewindow.ledger import changes, queries
from changewindow.ledger.seal import Seal
from servers import embedded_airflow
from support.attack import PEOPLE, URGENT, Ground, by_hand
from support.real_airflow import Probe, acts

LAST = "secrets_stay_secret"
"""The group that looks at everything the others have left."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Look for secrets when everything has been written."""
    items.sort(key=lambda item: item.path.stem == LAST)


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory, probe: Probe) -> Iterator[Ground]:
    """Start the Airflow that is attacked as a user starts it, with its own key, and with changes at every stage."""
    folder = tmp_path_factory.mktemp("attacked")
    before = os.umask(0o077)  # as Airflow's processes have it: changes are published and approved from here as well
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CHANGEWINDOW_SEAL_KEY", "CHANGEWINDOW_HEADS"):
            patch.delenv(name, raising=False)
        with embedded_airflow.running(folder, probe, PEOPLE, AIRFLOW__CORE__PARALLELISM="8") as airflow:
            assert Seal(lambda: standalone.places_of(airflow.place)).keys  # made by whoever needs it first
            patch.setenv("CHANGEWINDOW_SEAL_KEY_FILE", str(airflow.place.home / "changewindow-seal.key"))
            patch.setenv("CHANGEWINDOW_HEADS", str(airflow.place.home / "changewindow-heads"))
            listed = airflow.policy / "connections.yaml"
            strict = listed.read_text().replace("unlisted: warn", "unlisted: refuse")
            listed.write_text(f"{strict}  canary: {{services: [leaking], environments: [test]}}\n")
            yield Ground(airflow, probe, folder).prepare()
    os.umask(before)


@pytest.fixture(scope="module", autouse=True)
def unharmed(request: pytest.FixtureRequest, ground: Ground) -> Iterator[None]:
    """Let a change be watched while a group of attempts runs; it is found bad after them, and has to be undone."""
    name = f"bystander_{request.path.stem}"
    change = ground.airflow.publish(ground.watched(name))
    yield
    run = ground.airflow.run_of(change)
    ground.airflow.reaches(change, run, "watch", "deferred")
    ground.probe.bad.add(f"/attacked/{name}")
    wait_for(lambda: changes.get(ground.airflow.ledger, change).status == "rolled_back", f"the undo of {change}", 60)
    assert acts(ground.folder / name) == ["apply_1", "undo_1"]
    wait_for(ground.is_well, "every component of Airflow", 60)
    verified = ground.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.fixture(scope="session")
def owing(ground: Ground) -> Ground:
    """Add an emergency that acts, one that was refused, and a record; the first and the last are asked about."""
    airflow, alice = ground.airflow, ground.airflow.alice
    meaningless = {
        "digest": "0" * 64,
        "skipped": [],
        "is_drill": True,
        "due": "2099-01-01T00:00:00Z",
        "mode": "dry_run",
    }
    form = {**URGENT, "ticket": json.dumps(ground.watched("declared")), **meaningless}
    run = alice.trigger(EMERGENCY, form)
    refused = airflow.does(EMERGENCY, "alice", **URGENT)
    told = airflow.does("record_change", "alice", **by_hand())
    record = str(alice.xcom("record_change", told, "record", "note")).split()[0]
    airflow.request_ends(run, EMERGENCY)
    change = wait_for(lambda: queries.of_origin(airflow.ledger, f"{EMERGENCY}/{run}"), "the emergency").id
    airflow.reaches(change, wait_for(lambda: airflow.run_of(change), "its run"), "watch", "deferred")
    for identity in (change, record):
        wait_for(
            lambda name=identity: airflow.bob.asks(RETROACTIVE, f"{ASKS}{name}", "ask"), f"the question of {identity}"
        )
    ground.names |= {"declared": change, "record": record, "emergency": quote(run, safe=""), "raw_emergency": run}
    ground.names |= {"refused": quote(refused, safe=""), "raw_refused": refused, "raw_told": told}
    ground.names |= {"told": quote(told, safe=""), "opens_now": changes.get(airflow.ledger, change).opens.isoformat()}
    for name, identity in (("asks", change), ("asks_record", record)):
        ground.names |= {name: f"{ASKS}{identity}", f"{name}_task": ground.question(f"{ASKS}{identity}", "ask")}
    ground.attacked += ["declared", "record"]
    ground.runs += ["raw_emergency", "raw_refused", "raw_told", "asks", "asks_record"]
    ground.questions += ["asks_task", "asks_record_task"]
    return ground
