"""A host behind a bastion, with two real OpenSSH servers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from changewindow.errors import UnusableConnection
from changewindow.systems.connection import Connection
from changewindow.systems.hosts.looking import printed_on
from changewindow.systems.hosts.ssh import reach
from changewindow.systems.measurement import SourceError
from servers.sshd import Sshd, sshd


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sshd, Sshd]]:
    """Run a host and a bastion with the same clients."""
    folder = tmp_path_factory.mktemp("ssh")
    with sshd(folder / "host") as host:
        (folder / "bastion").mkdir()
        for name in ("client", "client.pub"):
            (folder / "bastion" / name).write_bytes((folder / "host" / name).read_bytes())
        with sshd(folder / "bastion") as bastion:
            yield host, bastion


def behind(servers: tuple[Sshd, Sshd], **extra: Any) -> Connection:
    """Return a connection to the host through the bastion."""
    host, bastion = servers
    jump = {"proxy_jump": f"{bastion.user}@127.0.0.1:{bastion.port}", "proxy_jump_host_key": bastion.host_key}
    return host.connection("web_3", password="", **{**jump, **extra})


def session(server: Sshd) -> int:
    """Return how often somebody was let in."""
    return (server.folder / "log").read_text().count("Accepted publickey")


async def test_a_program_runs_on_the_host_through_the_bastion(servers: tuple[Sshd, Sshd]) -> None:
    """Both have let the key in."""
    before = [session(server) for server in servers]
    assert (await printed_on(behind(servers), "echo", "here")).output == b"here\n"
    assert [session(server) for server in servers] == [count + 1 for count in before]


async def test_a_bastion_with_another_key_is_not_trusted(servers: tuple[Sshd, Sshd]) -> None:
    """Also where the key of the host behind it is not checked."""
    host, _ = servers
    before = session(host)
    with pytest.raises(SourceError):
        await printed_on(behind(servers, proxy_jump_host_key=host.host_key), "true")
    with pytest.raises(SourceError):
        await printed_on(
            behind(servers, proxy_jump_host_key=host.host_key, host_key=None, no_host_key_check=True), "true"
        )
    assert session(host) == before


def test_the_proxy_command_of_airflows_own_connection(servers: tuple[Sshd, Sshd], tmp_path: Path) -> None:
    """It is handed to ssh as it stands."""
    host, _ = servers
    reached = reach(host.connection("web_3", host_proxy_cmd="nc %h %p"), tmp_path)
    assert "ProxyCommand=nc %h %p" in reached.options


@pytest.mark.parametrize(
    ("extra", "missing"),
    [
        ({"proxy_jump": "a,b"}, "proxy_jump like `user@bastion.example.com:22`; one bastion is enough"),
        ({"proxy_jump": "-oProxyCommand=id"}, "proxy_jump like `user@bastion.example.com:22`; one bastion is enough"),
        ({"host_proxy_cmd": "nc %h %p"}, "clear way to its host: it has both proxy_jump and host_proxy_cmd"),
    ],
)
def test_a_way_that_is_none_is_refused(
    servers: tuple[Sshd, Sshd], tmp_path: Path, extra: dict[str, str], missing: str
) -> None:
    """Before anything is started."""
    with pytest.raises(UnusableConnection) as refused:
        reach(behind(servers, **extra), tmp_path)
    assert (
        str(refused.value) == f"The Airflow Connection 'web_3' has no {missing}. Complete it under Admin, Connections."
    )
