"""A world for `etckeeper`: a folder that Debian's etckeeper keeps."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.collectors.etckeeper import EXAMPLE
from collector_fixtures import Made, World
from step_fixtures import need

UNPACKED = Path.home() / ".cache/changewindow-tests/etckeeper"
"""Where `make services` puts Debian's package: installing it would make a repository of this machine's own /etc."""


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Make it, with a first commit."""
    etc = folder / "etc"
    kept(etc)

    def change() -> Made:
        (etc / "hosts").write_text("127.0.0.1 localhost orders\n")
        etckeeper(etc, "commit", "Orders is here", user="dora")
        return Made(f"{socket.gethostname()}:{etc}/hosts", "dora <dora@", "Orders is here")

    def hostile(text: str) -> None:
        (etc / "motd").write_text("hello\n")
        etckeeper(etc, "commit", text.replace("\r", ""), user="dora")

    collector = {"kind": EXAMPLE["kind"], "folder": str(etc), "within": "30s"}
    yield World(collector, change, hostile, {**collector, "folder": str(folder)})


def kept(etc: Path) -> Path:
    """Make a folder that etckeeper keeps; return it."""
    etc.mkdir()
    (etc / "hosts").write_text("127.0.0.1 localhost\n")
    etckeeper(etc, "init")
    etckeeper(etc, "commit", "Initial commit")
    return etc


def etckeeper(etc: Path, command: str, *arguments: str, user: str = "", at: str = "") -> None:
    """Run it as root does, or as a user does by sudo."""
    program = shutil.which("etckeeper") or str(UNPACKED / "usr/bin/etckeeper")
    need(program, "git")
    environment = {**os.environ, "SUDO_USER": user, "USER": "root"}
    if not Path("/etc/etckeeper").exists():
        environment["ETCKEEPER_CONF_DIR"] = str(UNPACKED / "etc/etckeeper")
    if at:
        environment |= {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at}
    subprocess.run(
        [program, command, "-d", str(etc), *arguments], env=environment, check=True, capture_output=True, cwd=etc
    )
