"""A world for `ssh_command`: a host with a real OpenSSH server."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.steps.ssh_command import EXAMPLE
from servers.sshd import sshd
from step_fixtures import World


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give a host on which a program writes a marker."""
    there = folder / "there"
    there.mkdir()
    marker = str(there / "it's out of $POOL")
    step = {**EXAMPLE, "run": ["touch", marker], "undo": ["rm", "-f", marker]}
    with sshd(folder / "ssh") as server:
        yield World(step, lambda: sorted(there.iterdir()), {"app_1": server.connection("app_1")})
