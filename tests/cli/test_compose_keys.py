"""Each service of docker-compose.yaml holds the keys that it needs, and no other."""

import pytest
import yaml

from changewindow.cli.standalone import ROOT

JWT, FERNET = "AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__CORE__FERNET_KEY"
LOGS, DATABASE = "AIRFLOW__API__SECRET_KEY", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
KEYS = {
    "airflow-init": {FERNET, DATABASE},
    "airflow-apiserver": {JWT, FERNET, LOGS, DATABASE},
    "airflow-scheduler": {JWT, FERNET, DATABASE},
    "airflow-dag-processor": {DATABASE},
    "airflow-triggerer": {FERNET, LOGS, DATABASE},
    "airflow-worker": {LOGS},
}
SERVICES = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]


@pytest.mark.parametrize("service", KEYS)
def test_a_service_holds_only_the_keys_that_it_needs(service: str) -> None:
    """Above all the workers, on which the programs of tickets run, make no token and open no database of Airflow's."""
    environment = SERVICES[service]["environment"]
    held = {name for name in (JWT, FERNET, LOGS, DATABASE) if "${" in environment.get(name, "")}
    assert held == KEYS[service]
    others = [value for name, value in environment.items() if name not in {DATABASE, "AIRFLOW_PASSWORDS"}]
    assert not any("POSTGRES_PASSWORD" in str(value) for value in others)


def test_every_service_of_airflow_is_looked_at() -> None:
    """A new one has to say which keys it gets."""
    assert {name for name in SERVICES if name.startswith("airflow-")} == set(KEYS)
