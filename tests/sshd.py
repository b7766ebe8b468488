"""A real sshd on a free port of 127.0.0.1, with keys of its own, into which one may log in as oneself."""

import getpass
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from worlds import need

SSHD = "/usr/sbin/sshd"
CONFIGURATION = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/key.pub
PermitRootLogin prohibit-password
PasswordAuthentication no
StrictModes no
UsePAM no
PidFile none
"""


@dataclass(frozen=True)
class Sshd:
    """Where it listens, who may log in with which key, and what its own key is."""

    host: str
    port: int
    user: str
    key_file: Path
    host_key: str
    """Type and public key."""

    @property
    def known_hosts(self) -> str:
        """Return its line of a file of known hosts."""
        return f"[{self.host}]:{self.port} {self.host_key}\n"


@contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """Serve until the end of the block; keys and configuration are put into the folder."""
    need(SSHD, "ssh-keygen")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("host", "key"):
        subprocess.check_call(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(folder / name)])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "sshd_config").write_text(CONFIGURATION.format(port=port, folder=folder))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stdout=log, stderr=log)
    try:
        _wait(process, port)
        host_key = " ".join((folder / "host.pub").read_text().split()[:2])
        yield Sshd("127.0.0.1", port, getpass.getuser(), folder / "key", host_key)
    finally:
        process.kill()
        process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("sshd does not listen; its log lies in the folder of the test")
