"""Each service of docker-compose.yaml holds the keys that it needs, and no other."""

import pytest
import yaml

from changewindow.cli.standalone import ROOT

JWT, FERNET = "AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__CORE__FERNET_KEY"
LOGS, DATABASE = "AIRFLOW__API__SECRET_KEY", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
SEAL = "CHANGEWINDOW_SEAL_KEY"
KEYS = {
    "airflow-init": {FERNET, DATABASE, SEAL},
    "airflow-apiserver": {JWT, FERNET, LOGS, DATABASE, SEAL},
    "airflow-scheduler": {JWT, FERNET, DATABASE},
    "airflow-dag-processor": {DATABASE, SEAL},
    "airflow-triggerer": {FERNET, LOGS, DATABASE, SEAL},
    "airflow-worker": {LOGS, SEAL},
    "changewindow-slack": {SEAL},
}
SERVICES = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]


def test_no_other_service_holds_any_key() -> None:
    """Databases, queue and the demo's service know nothing of it."""
    others = [service.get("environment", {}) for name, service in SERVICES.items() if name not in KEYS]
    assert not any({JWT, FERNET, LOGS, DATABASE, SEAL} & set(environment) for environment in others)


@pytest.mark.parametrize("service", KEYS)
def test_a_service_holds_only_the_keys_that_it_needs(service: str) -> None:
    """Above all the workers, on which the programs of tickets run, make no token and open no database of Airflow's."""
    environment = SERVICES[service]["environment"]
    held = {name for name in (JWT, FERNET, LOGS, DATABASE, SEAL) if "${" in environment.get(name, "")}
    assert held == KEYS[service]
    others = [value for name, value in environment.items() if name not in {DATABASE, "AIRFLOW_PASSWORDS"}]
    assert not any("POSTGRES_PASSWORD" in str(value) for value in others)


def test_every_service_of_airflow_is_looked_at() -> None:
    """A new one has to say which keys it gets."""
    assert {name for name in SERVICES if name.startswith(("airflow-", "changewindow-"))} == set(KEYS)


@pytest.mark.parametrize("service", [name for name, held in KEYS.items() if SEAL in held])
def test_whoever_seals_events_keeps_them_and_their_heads_where_all_do(service: str) -> None:
    """Otherwise they are gone with the container: what waits for the ledger, and what its chains are held against."""
    assert "spool:/opt/airflow/spool" in SERVICES[service]["volumes"]
    environment = SERVICES[service]["environment"]
    for name in ("CHANGEWINDOW_SPOOL", "CHANGEWINDOW_HEADS"):
        assert environment[name].startswith("/opt/airflow/spool/")
