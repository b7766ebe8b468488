"""A world for `aide`: a folder that Debian's aide checks against a database of it."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.collectors.aide import EXAMPLE
from collector_fixtures import Made, World
from step_fixtures import need

CONFIG = """
database_in=file:{folder}/aide.db
database_out=file:{folder}/aide.db
gzip_dbout=no
report_url=stdout
{folder}/etc p+u+g+s+m+c+sha256
"""


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Make it."""
    etc = kept(folder)

    def change() -> Made:
        (etc / "hosts").write_text("127.0.0.1 localhost orders\n")
        return Made(f"{socket.gethostname()}:{etc}/hosts", "", "changed: Size, ")

    def hostile(text: str) -> None:
        name = text.replace("/", "").replace("\u202e", "").encode()[:250]
        Path(os.fsdecode(bytes(etc) + b"/" + name)).write_text("it\n")

    collector = {**settings(folder), "kind": EXAMPLE["kind"], "check": True}
    yield World(collector, change, hostile, {**collector, "config": str(folder / "gone")})


def kept(folder: Path) -> Path:
    """Make a folder with some files, and the database of it; return it."""
    need("aide")
    etc = folder / "etc"
    etc.mkdir()
    (etc / "hosts").write_text("127.0.0.1 localhost\n")
    (etc / "motd").write_text("hello\n")
    (folder / "aide.conf").write_text(CONFIG.format(folder=folder))
    aide(folder, "--init")
    return etc


def aide(folder: Path, command: str) -> str:
    """Run it; return what it prints."""
    ran = subprocess.run(["aide", f"--config={folder}/aide.conf", command], capture_output=True, check=False, text=True)
    return ran.stdout


def settings(folder: Path) -> dict[str, str]:
    """Return where everything lies."""
    places = {"config": folder / "aide.conf", "database": folder / "aide.db", "report": folder / "aide.log"}
    return {**{name: str(place) for name, place in places.items()}, "within": "30s"}
