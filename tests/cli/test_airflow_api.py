"""Airflow's REST API as seen by a user: what an answer means."""

import json
from pathlib import Path
from typing import Any

import pytest

from changewindow.cli.airflow_api import Client, RestError
from changewindow.errors import PlatformError
from support.certificates import certificate
from support.recording_server import RecordingServer, Reply, Request, recording_server


@pytest.mark.parametrize("status", [401, 500])
def test_only_404_means_that_nothing_is_there(server: RecordingServer, status: int) -> None:
    """Also of a change whose id contains 404."""
    server.otherwise = (status, "why")
    client = Client(server.url, "alice", "secret")
    with pytest.raises(RestError, match=f"failed: {status} why"):
        client.xcom("CHG-1404", "run", "close")
    server.otherwise = (404, "no such entry")
    assert client.xcom("CHG-1404", "run", "close") is None


def test_a_run_of_many_tasks_is_read_to_its_end(server: RecordingServer) -> None:
    """Airflow gives at most as many at once as it is configured to."""
    tasks = [{"task_id": f"apply_{number}"} for number in range(1, 251)]

    def page(request: Request) -> Reply:
        start = int(request.query["offset"][0])
        shown = {"task_instances": tasks[start : start + 100], "total_entries": len(tasks)}
        return Reply(200, json.dumps(shown), {"Content-Type": "application/json"})

    server.otherwise = page
    assert list(Client(server.url, "alice", "secret").tasks("CHG-1", "run")) == [task["task_id"] for task in tasks]


def wrong(url: str, **options: Any) -> str:
    """Return why nobody can log in."""
    with pytest.raises(PlatformError) as raised:
        Client(url, "alice", "s3cret", **options).log_in()
    assert "s3cret" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("status", [200, 302, 403, 500])
def test_a_server_that_repeats_the_password_has_it_shown_to_nobody(server: RecordingServer, status: int) -> None:
    """As it is, or in JSON or an address."""
    texts = 's3cret {"password": "s3cret"} czNjcmV0 %73'
    server.otherwise = Reply(status, texts, {"Location": f"{server.url}/s3cret"})
    assert "czNjcmV0" not in wrong(server.url)


def test_a_wrong_password_is_said_in_a_sentence(server: RecordingServer) -> None:
    """Not as Airflow's own JSON."""
    server.otherwise = (401, '{"detail": "Invalid credentials"}')
    assert wrong(server.url) == f"{server.url} knows no user 'alice' with this password. Check both."


def test_a_token_is_shown_to_nobody_either(server: RecordingServer) -> None:
    """When a later answer repeats it."""
    server.answers["/auth/token"] = (200, '{"access_token": "abcdefgh"}')
    server.otherwise = lambda request: Reply(500, f"you sent {request.headers['Authorization']}")
    with pytest.raises(RestError, match=r"you sent Bearer \*\*\*"):
        Client(server.url, "alice", "s3cret").log_in().runs("CHG-1")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_no_password_along(server: RecordingServer, status: int) -> None:
    """A 307 had it sent again, to another host and without encryption."""
    with recording_server((200, "{}")) as elsewhere:
        server.otherwise = Reply(status, headers={"Location": f"{elsewhere.url}/auth/token?\x1b[31mred"})
        assert f"failed: {status}, what is asked for is at {elsewhere.url}/auth/token; that is not" in wrong(server.url)
        assert elsewhere.requests == []


def test_a_netrc_neither_signs_nor_replaces_the_token(
    server: RecordingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks is who has logged in."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.otherwise = (200, '{"access_token": "abc", "dag_runs": []}')
    Client(server.url, "alice", "secret").log_in().runs("CHG-1")
    assert [request.headers.get("Authorization") for request in server.requests] == [None, "Bearer abc"]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://airflow.example.com", "The password would go to airflow.example.com in the clear. Write https://, or"),
        ("http://10.0.0.1:8080", "The password would go to 10.0.0.1 in the clear."),
        ("HTTP://airflow.example.com", "in the clear"),
        ("ftp://airflow.example.com", "'ftp://airflow.example.com' is no address of Airflow. Write it like https://"),
        ("airflow.example.com", "is no address of Airflow"),
        ("http://alice:pass@127.0.0.1", "is no address of Airflow"),
        ("http://127.0.0.1:99999", "is no address of Airflow"),
        ("http://[::1", "is no address of Airflow"),
        ("http://127.0.0.1.example.com", "in the clear"),
        ("", "is no address of Airflow"),
    ],
)
def test_a_password_goes_nowhere_in_the_clear(url: str, sentence: str) -> None:
    """Nor to what is no address; nothing is sent, and the sentence says what to write."""
    assert sentence in wrong(url)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("<html>", "the answer is not JSON. Is that the address of Airflow?"),
        ("[]", "there is no token in the answer. Is that Airflow?"),
        ('{"access_token": null}', "there is no token in the answer"),
        ("", "there is no token in the answer"),
    ],
)
def test_what_is_not_airflow_is_said_in_a_sentence(server: RecordingServer, body: str, sentence: str) -> None:
    """And not by a traceback."""
    server.otherwise = (200, body)
    assert sentence in wrong(server.url)


def test_an_answer_does_not_act_on_the_terminal(server: RecordingServer) -> None:
    """It comes from whoever is there."""
    server.otherwise = (500, "\x1b]0;title\x07")
    assert "\x1b" not in wrong(server.url)


def test_authorities_that_are_not_there_are_said_in_a_sentence(tmp_path: Path) -> None:
    """`requests` raises an error of the system for that."""
    sentence = wrong("https://127.0.0.1:1", authorities=tmp_path / "none.pem")
    assert "invalid path" in sentence
    assert str(tmp_path / "none.pem") in sentence


def test_an_authority_of_ones_own_is_named(tmp_path: Path) -> None:
    """Without it the sentence says how."""
    authority = certificate("Authority")
    shown = certificate("airflow", authority, names=("127.0.0.1",)).write(tmp_path / "airflow.pem")
    trusted = authority.write(tmp_path / "authority.pem")
    with recording_server((200, '{"access_token": "abc"}'), tls=shown) as airflow:
        assert "Name the authority of its certificate with --ca-file" in wrong(airflow.url)
        assert airflow.requests == []
        Client(airflow.url, "alice", "secret", authorities=trusted).log_in()


def test_what_is_on_this_machine_goes_through_no_proxy(
    server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would see the password, which goes to this machine without encryption."""
    with recording_server((200, "{}")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        server.otherwise = (200, '{"access_token": "abc"}')
        Client(server.url, "alice", "secret").log_in()
        assert proxy.requests == []


def test_a_network_may_be_trusted_and_a_proxy_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """For those who end TLS elsewhere: they say so, and the proxy of the environment is used."""
    with recording_server((200, '{"access_token": "abc"}')) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        Client("http://airflow.invalid", "alice", "secret", allow_http=True).log_in()
        assert proxy.requests[0].target == "http://airflow.invalid/auth/token"
