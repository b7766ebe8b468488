"""The product that silences alerts of changes, for whoever tests who opens, renews and ends them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from servers.silence_apis import Place, place


@pytest.fixture
def product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Serve Grafana, to which the connection leads."""
    with place("grafana", "grafana", tmp_path) as made:
        known = {"conn_type": "http", "host": made.connection.host, "password": made.connection.password}
        monkeypatch.setenv("AIRFLOW_CONN_GRAFANA", json.dumps(known))
        yield made
