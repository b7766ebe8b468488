"""An answer for `command`: the load of this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.sources.command import EXAMPLE
from source_fixtures import Answers


@contextmanager
def place(folder: Path) -> Iterator[Answers]:
    """Leave the machine as it is."""
    yield Answers(EXAMPLE, {"matches": r"(\d+\.\d\d ){3}\d+/\d+ \d+\s*"})
