"""The door of a real Airflow: what is asked by REST of a change that acts, and by whom."""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
import requests
from airflow.api_fastapi.auth.tokens import JWTGenerator

from changewindow.cli.airflow_api import Client, RestError, wait_for
from changewindow.ledger import changes, events
from support.real_airflow import HEALTH, RealAirflow, acts, ticket, window


def answer(client: Client, method: str, path: str, body: Any = None) -> tuple[int, str]:
    """Return status and sentence of the answer to a request below /api/v2."""
    headers = {"Authorization": str(client._session.auth.token)}
    reply = requests.request(method, f"{client.url}/api/v2{path}", json=body, headers=headers, timeout=60)
    return reply.status_code, reply.text


def test_strangers_who_never_send_a_body_keep_nobody_waiting(airflow: RealAirflow) -> None:
    """While twenty of them knock, alice logs in and asks for something."""
    head = b"POST /api/v2/dags/request_change/dagRuns HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\n"
    strangers = [socket.create_connection(("127.0.0.1", airflow.place.port), timeout=30) for _ in range(20)]
    for stranger in strangers:
        stranger.sendall(head)
    alice = Client(airflow.place.url, "alice", airflow.alice.password).log_in()
    alice.trigger("request_change", {"ticket": "nonsense: 1"})
    for stranger in strangers:
        assert stranger.recv(100).startswith(b"HTTP/1.1 401 ")
        stranger.close()


def test_what_is_asked_of_a_change_that_acts_is_judged_by_what_it_does(airflow: RealAirflow, tmp_path: Path) -> None:
    """Whoever asks, the admin included: it goes on, its evidence stays, and each attempt is in its record."""
    patient = [{**HEALTH, "tolerate": {"unreachable": 30}}]  # this machine may be slow; it is not what is tried here
    change = airflow.publish(ticket(tmp_path / "attacked", watch="40s", validation=patient))
    run = airflow.run_of(change)
    airflow.reaches(change, run, "watch", "deferred")
    admin, of_run = airflow.clients["admin"], f"/dags/{change}/dagRuns/{quote(run, safe='')}"
    xcom = f"{of_run}/taskInstances/apply_1/xcomEntries"
    store = f"{of_run}/taskInstances/watch/state-store"
    watch = {"dag_id": change, "dag_run_id": run, "task_id": "watch"}
    asked: list[tuple[str, str, Any, str]] = [
        ("DELETE", f"/dags/{change}", None, "has an open run"),
        ("PATCH", f"/dags/{change}", {"is_paused": "true"}, "acts now"),
        ("PATCH", f"/dags?dag_id_pattern={change}", {"is_paused": True}, f"would pause {change}"),
        ("PATCH", "/dags?dag_id_pattern=~", {"is_paused": True}, "would pause"),
        ("PATCH", "/dags/housekeeping", {"is_paused": True}, "is never paused"),
        ("DELETE", "/dags/abort_change", None, "comes with Change Windows"),
        ("POST", f"/dags/{change}/dagRuns", {"logical_date": None, "conf": {"mode": "dry_run"}}, "has an open run"),
        ("POST", xcom, {"key": "remembered", "value": "x"}, "is evidence"),
        ("PATCH", f"{xcom}/return_value", {"value": "x"}, "is evidence"),
        ("DELETE", f"{xcom}/return_value", None, "is evidence"),
        ("PUT", f"{store}/x", {"value": "x"}, "is evidence"),
        ("DELETE", store, None, "is evidence"),
        ("DELETE", f"{of_run}/taskInstances/undo_1", None, "not deleted alone"),
        ("POST", "/backfills", {"dag_id": change, "from_date": "x"}, "no partitions"),
        ("PATCH", "/pools/default_pool", {"slots": 0}, "default_pool is where"),
        ("DELETE", "/connections/changewindow_ledger", None, "leads to the ledger"),
    ]
    for method, path, body, reason in asked:
        assert (path, answer(admin, method, path, body)[0]) == (path, 409)
        assert reason in answer(admin, method, path, body)[1]
    note = {"actions": [{"action": "update", "entities": [{**watch, "note": "hunter2"}]}]}
    assert answer(admin, "PATCH", "/dags/housekeeping/dagRuns/~/taskInstances", note)[0] == 200
    assert airflow.ends(change, run) == ("success", "completed")
    assert acts(tmp_path / "attacked") == ["apply_1"]
    clicked = [events.data(event) for event in events.history(airflow.ledger, change) if event.kind == "clicked"]
    paths = {data["path"].removeprefix("/api/v2") for data in clicked}
    assert paths >= {f"/dags/{change}", unquote(f"{xcom}/return_value")}
    assert any("housekeeping" in data["path"] and "hunter2" not in data["body"] for data in clicked)


def test_a_run_by_hand_does_not_take_the_place_of_the_windows_own(airflow: RealAirflow, tmp_path: Path) -> None:
    """With the window's own date it is refused, and the change starts when its window opens."""
    opens = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=25)
    change = airflow.publish(ticket(tmp_path / "squat", window=window(opens, opens + timedelta(minutes=30))))
    date = opens.isoformat()
    for body in ({"logical_date": date}, {"logical_date": date, "conf": {"mode": "dry_run"}}):
        with pytest.raises(RestError, match="409"):
            airflow.clients["carol"].post(f"/dags/{change}/dagRuns", body)
    run = wait_for(lambda: airflow.alice.runs(change), f"a run of {change}")[0]["dag_run_id"]
    assert run.startswith("scheduled__")
    assert airflow.ends(change, run) == ("success", "completed")


def test_a_stranger_leaves_no_event(airflow: RealAirflow) -> None:
    """Whatever is named."""
    change = airflow.submit(ticket(Path("unknown_to_all")))
    before = airflow.kinds(change)
    url = f"{airflow.place.url}/api/v2/dags/{change}"
    forged = {"Authorization": "Bearer x"}
    assert requests.delete(url, headers=forged, timeout=30).status_code == requests.codes.forbidden
    assert requests.patch(url, json={"is_paused": True}, timeout=30).status_code == requests.codes.unauthorized
    assert airflow.kinds(change) == before
    assert changes.get(airflow.ledger, change).status == "approved"


def test_a_task_writes_what_it_hands_over_and_no_other_one(airflow: RealAirflow, tmp_path: Path) -> None:
    """With the token of its own; Airflow itself lets every task write for every other one."""
    change = airflow.publish(ticket(tmp_path / "handed", watch="1s"))
    run = airflow.run_of(change)
    airflow.ends(change, run)
    tasks = airflow.alice.tasks(change, run)
    keys = airflow.environment
    for task, status in (("gate", 403), ("watch", 201)):
        token = JWTGenerator(
            secret_key=keys["AIRFLOW__API_AUTH__JWT_SECRET"],
            private_key=None,
            valid_for=600,
            audience="urn:airflow.apache.org:task",
        ).generate({"sub": tasks[task]["id"]})
        url = f"{airflow.place.url}/execution/xcoms/{change}/{quote(run, safe='')}/watch/forged"
        reply = requests.post(url, json="x", headers={"Authorization": f"Bearer {token}"}, timeout=30)
        assert (task, reply.status_code) == (task, status), reply.text
