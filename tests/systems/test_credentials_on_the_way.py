"""Credentials on their way: to the service of the connection, with what the connection holds, and nowhere else."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from changewindow.cli.airflow_api import Client
from changewindow.errors import ChangeError
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from changewindow.systems.kubernetes.client import Content, Parameters, api, asyncio_api, request
from changewindow.systems.kubernetes.image_registry import images_not_pullable
from changewindow.systems.kubernetes.resource import core
from support.ask_source import asked
from support.recording_server import RecordingServer, Reply, recording_server

SECRET = "s3cret"


def service(url: str, login: str = "", **extra: str) -> Connection:
    """Return the connection to a service."""
    return Connection("service", "http", host=url, login=login, password=SECRET, extra=extra)


def source(url: str) -> None:
    """Ask a source that has login and password."""
    asyncio.run(asked({"kind": "http", "connection": "service"}, service(url, "alice")))


def source_with_token(url: str) -> None:
    """Ask a source whose connection names a header."""
    asyncio.run(asked({"kind": "http", "connection": "service"}, service(url, header="Authorization", scheme="Bearer")))


def product(url: str) -> None:
    """Ask the API of a product, which wants a token."""
    asyncio.run(asked({"kind": "grafana", "connection": "service"}, service(url)))


def step(url: str) -> None:
    """Send the request of a step."""
    Context("CHG-1", 1, lambda _: service(url, "alice"), print).call("service", "POST", "/", {"a": 1})


def step_with_token(url: str) -> None:
    """Send the request of a step whose connection names a header."""
    known = service(url, header="Authorization", scheme="Bearer")
    Context("CHG-1", 1, lambda _: known, print).call("service", "POST", "/", {"a": 1})


def submit(url: str) -> None:
    """Log in to Airflow."""
    Client(url, "alice", SECRET).log_in()


def registry(url: str) -> None:
    """Ask a registry for an image."""
    images_not_pullable(service(url, "alice"), "shop/cart:1")


def cluster(url: str) -> None:
    """Ask an API server, as a step does."""
    known = Connection("cluster", "kubernetes", host=url, password=SECRET)
    request(api(known), "GET", core("pods", "shop"), Content(), parameters=Parameters())


def cluster_of_a_source(url: str) -> None:
    """Ask an API server, as a source does."""

    async def ask() -> None:
        async with asyncio_api(Connection("cluster", "kubernetes", host=url, password=SECRET))() as client:
            reply = await client.call_api("/api", "GET", auth_settings=["BearerToken"], _preload_content=False)
            await reply.read()

    asyncio.run(ask())


CLIENTS = [source, source_with_token, product, step, step_with_token, submit, registry, cluster, cluster_of_a_source]


@pytest.fixture(autouse=True)
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the worker have a .netrc that knows every host."""
    (tmp_path / "netrc").write_text("default login stranger password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_gets_no_credentials(
    server: RecordingServer, client: Callable[[str], None], status: int
) -> None:
    """Neither those of the connection nor those of a .netrc, nor a body."""
    with recording_server((200, "{}")) as elsewhere:
        server.otherwise = Reply(status, headers={"Location": f"{elsewhere.url.replace('127.0.0.1', 'localhost')}/x"})
        with suppress(ChangeError, requests.RequestException):
            client(server.url)
        assert server.requests
        for received in elsewhere.requests:
            assert "Authorization" not in received.headers
            assert SECRET not in received.body


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_a_netrc_of_the_worker_signs_nothing(server: RecordingServer, client: Callable[[str], None]) -> None:
    """Who asks is said by the connection alone."""
    server.otherwise = (404, "{}")
    with suppress(ChangeError, requests.RequestException):
        client(server.url)
    signed = {received.headers.get("Authorization") for received in server.requests}
    assert len(signed) == 1
    assert signed <= {None, "Bearer s3cret", "Basic YWxpY2U6czNjcmV0"}
