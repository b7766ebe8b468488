"""`changewindow submit` in a hostile network: the password goes to Airflow, and nowhere else."""

import base64
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from support.attack import Ground
from support.recording_server import Answer, RecordingServer, Reply, recording_server

PASSWORD = "correct horse battery"
TOKEN = (200, '{"access_token": "the-token-of-mallory"}')


def submit(ground: Ground, url: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run `changewindow submit` as somebody whose password is known."""
    ticket = ground.folder / "submitted.yaml"
    ticket.write_text("summary: x\n")
    return ground.command(
        "submit", str(ticket), "--url", url, "--user", "mallory", CHANGEWINDOW_PASSWORD=PASSWORD, **environment
    )


def secret_in(server: RecordingServer) -> bool:
    """Return whether a server was sent password or token, in whatever form."""
    sent = "\n".join(f"{request.target} {dict(request.headers)} {request.body}" for request in server.requests)
    forms = (PASSWORD, PASSWORD.replace(" ", "%20"), PASSWORD.replace(" ", "+"), "the-token-of-mallory")
    return any(form in sent for form in forms) or base64.b64encode(PASSWORD.encode()).decode()[:12] in sent


@pytest.fixture
def elsewhere() -> Iterator[RecordingServer]:
    """Serve another host, which wants the password."""
    with recording_server(TOKEN) as serving:
        yield serving


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308], ids=lambda status: f"a {status} at the log-in")
def test_the_password_follows_no_redirect(
    ground: Ground, server: RecordingServer, elsewhere: RecordingServer, status: int
) -> None:
    """It is said where the redirect leads."""
    server.otherwise = Reply(status, "", {"Location": f"{elsewhere.url}/auth/token"})
    ran = submit(ground, server.url)
    assert ran.returncode == 1
    assert elsewhere.requests == []
    assert "Traceback" not in ran.stderr
    assert PASSWORD not in ran.stdout + ran.stderr


def test_the_token_follows_no_redirect(ground: Ground, server: RecordingServer, elsewhere: RecordingServer) -> None:
    """After a good log-in."""
    server.answers["POST /auth/token"] = TOKEN
    server.otherwise = Reply(307, "", {"Location": f"{elsewhere.url}/api/v2/dags/request_change/dagRuns"})
    ran = submit(ground, server.url)
    assert ran.returncode == 1
    assert elsewhere.requests == []
    assert "the-token-of-mallory" not in ran.stdout + ran.stderr


def test_a_netrc_replaces_no_token(ground: Ground, server: RecordingServer, tmp_path: Path) -> None:
    """What is sent after the log-in is the token, and nothing of the file."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password of-the-netrc\n")
    (tmp_path / ".netrc").chmod(0o600)
    server.answers["POST /auth/token"] = TOKEN
    submit(ground, server.url, HOME=str(tmp_path), NETRC=str(tmp_path / ".netrc"))
    signed = [request.headers.get("Authorization") for request in server.requests]
    assert {given for given in signed if given} <= {"Bearer the-token-of-mallory"}


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://192.0.2.1:8080", id="an address without encryption"),
        pytest.param("http://airflow.example.com", id="a name without encryption"),
        pytest.param("http://127.0.0.1.example.com", id="a name that begins like this machine"),
        pytest.param("http://localhost@192.0.2.1", id="an account that looks like this machine"),
        pytest.param("ftp://127.0.0.1/", id="another protocol"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("//192.0.2.1", id="an address without protocol"),
    ],
)
def test_the_password_goes_to_no_such_address(ground: Ground, url: str) -> None:
    """It is refused at once, with a sentence."""
    began = time.monotonic()
    ran = submit(ground, url)
    assert ran.returncode == 1
    assert time.monotonic() - began < 20  # seconds; nothing was asked
    assert "Traceback" not in ran.stderr
    assert PASSWORD not in ran.stdout + ran.stderr


def test_a_proxy_of_the_environment_gets_nothing_that_is_on_this_machine(
    ground: Ground, server: RecordingServer, elsewhere: RecordingServer
) -> None:
    """A password for this machine goes over no network."""
    server.answers["POST /auth/token"] = TOKEN
    submit(ground, server.url, HTTP_PROXY=elsewhere.url, http_proxy=elsewhere.url, ALL_PROXY=elsewhere.url)
    assert elsewhere.requests == []


ANSWERS: dict[str, Answer] = {
    "an answer that is no json": (200, "<html>"),
    "an answer that is a list": (200, "[]"),
    "an answer without a token": (200, "{}"),
    "a token that is a number": (200, '{"access_token": 5}'),
    "a token with a header inside": (200, '{"access_token": "x\\r\\nX-Evil: 1"}'),
    "a refusal with escape sequences": (403, "\x1b]0;owned\x07\x1b[2J"),
    "a refusal that repeats the password": lambda request: Reply(403, request.body),
    "an answer that is cut off": Reply(200, "{", length=1000),
    "no answer": Reply(is_lost=True),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_whatever_a_server_answers_is_one_sentence(ground: Ground, server: RecordingServer, name: str) -> None:
    """No traceback, no password, and nothing that acts on the terminal."""
    server.otherwise = ANSWERS[name]
    ran = submit(ground, server.url)
    assert ran.returncode == 1
    said = ran.stdout + ran.stderr
    assert "Traceback" not in said
    assert PASSWORD not in said
    assert "\x1b" not in said


@contextmanager
def silent() -> Iterator[int]:
    """Listen, take what comes, and never answer."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        kept: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    kept.append(listener.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield listener.getsockname()[1]
        for connection in kept:
            connection.close()


def test_a_server_that_never_answers_is_given_up(ground: Ground) -> None:
    """Within two minutes, and it can be interrupted before."""
    with silent() as port:
        command = [sys.executable, "-m", "changewindow", "submit", str(ground.folder / "submitted.yaml")]
        arguments = ["--url", f"http://127.0.0.1:{port}", "--user", "mallory"]
        environment = {**ground.airflow.environment, "CHANGEWINDOW_PASSWORD": PASSWORD}
        began = time.monotonic()
        ran = subprocess.run(
            [*command, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=120
        )
    assert ran.returncode == 1
    assert time.monotonic() - began < 100  # seconds
    assert "Traceback" not in ran.stderr
