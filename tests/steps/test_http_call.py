"""The step http_call, against a local server."""

from pathlib import Path
from typing import Any

import pytest

from changewindow.errors import StepFailed, UnusableConnection
from changewindow.steps.base import missing_prerequisites
from changewindow.steps.http_call import EXAMPLE, Step
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from support.recording_server import RecordingServer

STEP = Step.model_validate({key: value for key, value in EXAMPLE.items() if key != "kind"})


def context(url: str, **options: Any) -> Context:
    """Return what a step may use, with credentials."""
    known = Connection("example_service", "http", host=url, login="robot", password="secret")
    return Context("CHG-1", 1, lambda _: known, lambda _: None, **options)


def test_apply_and_undo_send_what_the_ticket_says(server: RecordingServer) -> None:
    """Both requests carry their body, and the credentials of the connection."""
    server.answers["/flags/banner"] = (204, "")
    here = context(server.url)
    STEP.apply(here, {})
    STEP.undo(here, {})
    assert [(method, path, body) for method, path, _, body in server.requests] == [
        ("PUT", "/flags/banner", '{"enabled": true}'),
        ("PUT", "/flags/banner", '{"enabled": false}'),
    ]
    assert all(request.headers["Authorization"].startswith("Basic ") for request in server.requests)


@pytest.mark.parametrize("status", [302, 400, 500])
def test_an_unexpected_status_fails_the_step(server: RecordingServer, status: int) -> None:
    """A redirect is not followed: it is not what was expected."""
    server.answers["/flags/banner"] = (status, "why")
    with pytest.raises(StepFailed, match=f"answered {status}, expected 200, 201, 202, 204: why"):
        STEP.apply(context(server.url), {})
    assert len(server.requests) == 1


def test_no_reply_fails_the_step() -> None:
    """Whether the request had its effect is unknown, so the change is taken back."""
    with pytest.raises(StepFailed, match="got no reply"):
        STEP.apply(context("http://127.0.0.1:1"), {})


def test_a_dry_run_sends_nothing(server: RecordingServer) -> None:
    """It only says what it would send."""
    STEP.apply(context(server.url, dry_run=True), {})
    assert server.requests == []


@pytest.mark.parametrize(
    ("host", "message"),
    [
        (
            "http://127.0.0.1:1",
            "got no reply: ConnectionRefusedError: [Errno 111] Connection refused. Is the service up?",
        ),
        ("http://127.0.0.1:1x", "got no reply: InvalidURL: Invalid port: '1x'"),
        ("https://{self}", "got no reply: SSLError: [SSL: WRONG_VERSION_NUMBER] wrong version number"),
    ],
)
def test_why_there_was_no_reply_is_said(server: RecordingServer, host: str, message: str) -> None:
    """Its innermost reason, which is what a person can do something about."""
    with pytest.raises(StepFailed) as raised:
        STEP.apply(context(host.replace("{self}", server.url.partition("//")[2])), {})
    assert message in str(raised.value)


def test_a_netrc_of_the_worker_signs_nothing(
    server: RecordingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who acts is said by the connection alone, which may also have no account."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.answers["/flags/banner"] = (200, "")
    known = Connection("example_service", "http", host=server.url)
    STEP.apply(Context("CHG-1", 1, lambda _: known, print), {})
    assert "Authorization" not in server.requests[-1].headers
    Context("CHG-1", 1, lambda _: known, print).ask("example_service", "/", {"Authorization": "Bearer token"})
    assert server.requests[-1].headers["Authorization"] == "Bearer token"


def test_an_account_in_the_address_is_refused(server: RecordingServer) -> None:
    """Addresses are logged."""
    for host in (server.url.replace("//", "//robot:s3cret@"), "s3cret@127.0.0.1"):
        with pytest.raises(UnusableConnection, match="write that into login and password") as raised:
            STEP.apply(context(host), {})
        assert "s3cret" not in str(raised.value)


def test_a_service_that_airflow_does_not_know_is_told_beforehand() -> None:
    """A connection without a host cannot be called, neither now nor on the way back."""
    [missing] = missing_prerequisites(STEP, context(""))
    assert missing == "The Airflow Connection 'example_service' has no host. Complete it under Admin, Connections."
    assert missing_prerequisites(STEP, context("http://service.example")) == []
