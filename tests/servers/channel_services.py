"""Services that take the messages of each channel, and refuse what each would refuse by its documentation."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from changewindow.errors import UnknownConnection
from changewindow.notify.base import Tools
from changewindow.systems.connection import Connection
from servers.mailbox import PASSWORD, mailbox
from servers.marker_apis import telling
from servers.slack import slack
from support.certificates import certificate
from support.recording_server import RecordingServer, Reply, Request, recording_server

TEAMS_SIZE = 28 << 10
"""Bytes that Teams takes."""
TEAMS_PATH = "/workflows/0123/triggers/manual/paths/invoke?api-version=1&sig=sig-of-the-workflow"


@dataclass
class Service:
    """Where messages of a channel arrive."""

    settings: dict[str, Any]
    """What a policy writes for the channel."""
    connection: Callable[..., Connection]
    """Returns its connection, with something changed."""
    texts: Callable[[], list[str]]
    """Returns each message that arrived, as people or programs read it."""
    secrets: tuple[str, ...] = ()
    """What must be shown nowhere."""
    server: RecordingServer | None = None
    """Where it can be made to answer otherwise."""

    def tools(self, *, within: float = 60, **changed: Any) -> Tools:
        """Return what the channel may use."""
        return Tools(lambda name: self.connection(name=name, **changed), within=within)


@contextmanager
def log_service(caplog: pytest.LogCaptureFixture) -> Iterator[Service]:
    """Read the log of a task."""
    caplog.set_level("INFO")
    yield Service({}, _nowhere, lambda: [caplog.text] if caplog.text else [])


@contextmanager
def email_service(caplog: pytest.LogCaptureFixture) -> Iterator[Service]:
    """Serve a mailbox."""
    with mailbox(wants_login=True) as box:
        account = {"login": "cw@example.org", "password": PASSWORD}
        yield Service(
            {"to": ["changes@example.org"]},
            lambda **changed: box.connection(**{**account, **changed}),
            lambda: [f"{mail['Subject']}\n{mail.get_content()}" for mail in box.mails],
            (PASSWORD,),
        )


@contextmanager
def slack_service(caplog: pytest.LogCaptureFixture) -> Iterator[Service]:
    """Serve a Slack with a room."""
    with slack() as running:
        running.room("#deploys")
        known = running.connection
        yield Service(
            {},
            lambda **changed: replace(known, **changed),
            lambda: [message.text for message in running.room("#deploys").top],
            (known.password,),
        )


@contextmanager
def webhook_service(caplog: pytest.LogCaptureFixture) -> Iterator[Service]:
    """Serve somebody who verifies what comes."""
    with telling("webhook") as tool:
        yield Service(
            {"connection": "receiver", "path": "/hooks"},
            tool.connection,
            lambda: [str(entry["data"]["text"]) for entry in tool.entries.values()],
            (tool.password,),
            tool.server,
        )


@contextmanager
def teams_service(caplog: pytest.LogCaptureFixture) -> Iterator[Service]:
    """Serve a workflow of Teams: HTTPS, a card of text, 28 KB."""
    texts: list[str] = []

    def reply(request: Request) -> Reply:
        if f"{request.target}" != TEAMS_PATH:
            return Reply(401, '{"error": {"code": "DirectApiAuthorizationRequired"}}')
        if len(request.body.encode(errors="surrogateescape")) > TEAMS_SIZE:
            return Reply(413, '{"error": {"code": "RequestEntityTooLarge"}}')
        (attachment,) = json.loads(request.body)["attachments"]
        assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        texts.append("\n".join(map(_line, attachment["content"]["body"])))
        return Reply(202)

    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        file = certificate("127.0.0.1", names=("127.0.0.1",)).write(Path(folder, "server.pem"))
        patch.setenv("REQUESTS_CA_BUNDLE", str(file))
        with recording_server(reply, tls=file) as server:
            given = {"kind": "generic", "password": f"{server.url}{TEAMS_PATH}\n"}
            yield Service(
                {"connection": "teams"},
                lambda name="teams", **changed: Connection(name, **{**given, **changed}),
                lambda: texts,
                (TEAMS_PATH, "sig-of-the-workflow"),
                server,
            )


@contextmanager
def apprise_service(caplog: pytest.LogCaptureFixture) -> Iterator[Service]:
    """Serve what Apprise knows as `json`."""
    texts: list[str] = []

    def reply(request: Request) -> Reply:
        body = json.loads(request.body)
        texts.append(f"{body['title']}\n{body['message']}")
        return Reply(200)

    with recording_server(reply) as server:
        given = {
            "kind": "generic",
            "password": f"json://user:secret-of-apprise@127.0.0.1:{server.port}/token-in-path\n",
        }
        yield Service(
            {"connection": "apprise"},
            lambda name="apprise", **changed: Connection(name, **{**given, **changed}),
            lambda: texts,
            ("secret-of-apprise", "token-in-path"),
            server,
        )


SERVICES = {
    "log": log_service,
    "email": email_service,
    "slack": slack_service,
    "webhook": webhook_service,
    "teams": teams_service,
    "apprise": apprise_service,
}
"""Where the messages of each kind of channel arrive."""


def _line(block: dict[str, Any]) -> str:
    assert block["type"] == "RichTextBlock"
    assert all(run["type"] == "TextRun" for run in block["inlines"])
    return "".join(run["text"] for run in block["inlines"])


def _nowhere(name: str = "") -> Connection:
    raise UnknownConnection(name)
