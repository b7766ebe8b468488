"""Airflow's REST API as seen by a user: what an answer means."""

import pytest

from changewindow.cli.airflow_api import Client, RestError
from support.recording_server import RecordingServer


@pytest.mark.parametrize("status", [401, 500])
def test_only_404_means_that_nothing_is_there(server: RecordingServer, status: int) -> None:
    """Also of a change whose id contains 404."""
    server.otherwise = (status, "why")
    client = Client(server.url, "alice", "secret")
    with pytest.raises(RestError, match=f"failed: {status} why"):
        client.xcom("CHG-1404", "run", "close")
    server.otherwise = (404, "no such entry")
    assert client.xcom("CHG-1404", "run", "close") is None
