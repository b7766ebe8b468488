"""A real OpenSSH server on a free port of this machine, with keys of its own."""

import getpass
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from changewindow.systems.connection import Connection
from step_fixtures import need

SSHD = "/usr/sbin/sshd"
PASSWORD = "s3cret-of-the-host"
CONFIG = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org
AuthorizedKeysFile {folder}/client.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication yes
Subsystem sftp internal-sftp
"""
"""The exchange of keys that OpenSSH prefers withstands quantum computers, but is most of the work of a connection."""


@dataclass
class Sshd:
    """A running server."""

    port: int
    folder: Path
    process: "subprocess.Popen[bytes]"
    host: str = "127.0.0.1"
    user: str = field(default_factory=getpass.getuser)

    @property
    def key_file(self) -> Path:
        """Return the private key of who is let in."""
        return self.folder / "client"

    @property
    def known_hosts(self) -> str:
        """Return its line of a file of known hosts."""
        return f"[{self.host}]:{self.port} {self.host_key}\n"

    @property
    def host_key(self) -> str:
        """Return the server's public key, as a connection names it."""
        return (self.folder / "host.pub").read_text().rsplit(" ", 1)[0]

    def connection(self, name: str, *, password: str = PASSWORD, **extra: Any) -> Connection:
        """Return a connection that is let in; what is None in `extra` is left out."""
        known = {"private_key": self.key_file.read_text(), "host_key": self.host_key, **extra}
        known = {key: value for key, value in known.items() if value is not None}
        address = {"host": self.host, "port": self.port, "login": self.user}
        return Connection(name, "ssh", password=password, extra=known, **address)

    def drop(self) -> None:
        """Cut every connection that is open now."""
        for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            os.kill(int(pid), signal.SIGKILL)


def keygen(file: Path, *, kind: str = "ed25519", passphrase: str = "") -> Path:
    """Make a pair of keys."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "", "-f", file], check=True)
    return file


@contextmanager
def sshd(folder: Path, *, inside: tuple[str, ...] = (), port: int = 0) -> Iterator[Sshd]:
    """Start a server whose host key and client key lie in the folder; `inside` is a program to start it by."""
    need(SSHD, "ssh")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("host", "client"):
        if not (folder / name).exists():
            keygen(folder / name)
    with socket.socket() as free:
        free.bind(("127.0.0.1", port))
        port = free.getsockname()[1]
    (folder / "config").write_text(CONFIG.format(port=port, folder=folder))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    log = (folder / "log").open("wb")
    arguments = [*inside, SSHD, "-D", "-e", "-f", str(folder / "config")]
    process = subprocess.Popen(arguments, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait(port, process, folder / "log")
        yield Sshd(port, folder, process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.close()


def _wait(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)


@contextmanager
def between(port: int) -> Iterator[tuple[int, Callable[[], None]]]:
    """Stand between a client and a server; return the port to come to, and what cuts off the client, and only it."""
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(("127.0.0.1", port)) as server:
        clients: list[socket.socket] = []

        def forward() -> None:
            clients.append(listening.accept()[0])
            threading.Thread(target=_pass, args=(server, clients[0]), daemon=True).start()
            _pass(clients[0], server)

        def cut() -> None:
            with suppress(OSError):
                clients[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                clients[0].shutdown(socket.SHUT_RDWR)

        threading.Thread(target=forward, daemon=True).start()
        yield listening.getsockname()[1], cut
        cut()


def _pass(source: socket.socket, to: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            to.sendall(chunk)


@contextmanager
def hanging_up(greeting: bytes) -> Iterator[int]:
    """Listen on a port, say something to the one who comes, and hang up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            client = listening.accept()[0]
            client.sendall(greeting)
            client.close()

        threading.Thread(target=answer, daemon=True).start()
        yield listening.getsockname()[1]


def with_password(folder: Path) -> tuple[str, ...]:
    """Return the program by which a server sees accounts whose password is ours; only root can do that."""
    need("unshare", "openssl")
    if os.geteuid() != 0:
        pytest.skip("only root can give an account another password for one server")
    hashed = subprocess.check_output(["openssl", "passwd", "-6", "-stdin"], input=PASSWORD, text=True).strip()
    shutil.copy("/etc/shadow", folder / "shadow")
    lines = (folder / "shadow").read_text().splitlines()
    (folder / "shadow").write_text(
        "".join(f"root:{hashed}:19000::::::\n" if line.startswith("root:") else f"{line}\n" for line in lines)
    )
    mount = f'mount --bind {folder}/shadow /etc/shadow && exec "$@"'
    return ("unshare", "--mount", "sh", "-c", mount, "sh")
