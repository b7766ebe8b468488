"""A world for `packages`: a host on which apt really installs packages."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path

from changewindow.collectors.packages import EXAMPLE
from collector_fixtures import Made, World
from servers.packages import Debian

DAEMON = 1
"""The user id of the account daemon, which every Debian has."""


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Make it, with one package."""
    debian, versions = Debian(folder), count(1)
    here = {**EXAMPLE, "connection": None, "logs": str(debian.logs)}
    debian.install("first", "1.0")

    def change() -> Made:
        debian.install("probe", f"{next(versions)}.0", by=DAEMON)
        return Made(f"{socket.gethostname()}:probe", "daemon", "by apt-get -qq -y --allow-downgrades install ./probe-")

    def hostile(text: str) -> None:
        now = f"{datetime.now():%Y-%m-%d %H:%M:%S}"  # noqa: DTZ005  as dpkg writes it
        with (debian.logs / "dpkg.log").open("a") as log:
            log.write(f"{now} install evil:all <none> 1.0\n")
        with (debian.logs / "apt" / "history.log").open("a", newline="") as log:
            log.write(f"\nStart-Date: {now.replace(' ', '  ')}\nCommandline: apt-get install {text}\n")
            log.write("Install: evil:all (1.0)\n")

    yield World(here, change, hostile, {**here, "logs": str(folder / "state")})
