"""A world for `command`: a file that a program writes, with a secret it is given."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.systems.connection import Connection
from step_fixtures import World


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give a folder that is empty at first."""
    marker = folder / "marker"
    step = {
        "name": "Write the marker",
        "kind": "command",
        "run": {"shell": f'test -n "$TOKEN" && touch {marker}'},
        "undo": ["rm", "-f", str(marker)],
        "secrets": {"TOKEN": "vault"},
    }
    vault = Connection("vault", "generic", password="s3cret-of-the-vault")
    yield World(step, lambda: sorted(folder.iterdir()), {"vault": vault})
