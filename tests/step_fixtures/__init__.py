"""Worlds in which steps act for real: one file per kind of step, found by its file name.

Each file defines `world(folder)`, a context manager that makes the world in an empty folder, starts what it needs on
free ports of 127.0.0.1, gives a `World`, and ends all of it.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from changewindow.systems.connection import Connection


@dataclass
class World:
    """What a step can change, and how to look at it."""

    step: dict[str, Any]
    """The step as a ticket gives it, with its kind; apply changes the state, undo brings it back."""
    state: Callable[[], Any]
    """Returns what apply changes and undo has to bring back, as it is now."""
    connections: dict[str, Connection] = field(default_factory=dict)
    """The connections of this world by name; their passwords must show up nowhere."""
    reset: Callable[[], object] = lambda: None
    """Lets apply be tried once more, where undo alone does not."""
    cuts: int = 30
    """At so many places, at the most, is apply cut short; fewer where each apply takes seconds."""

    def connection(self, name: str) -> Connection:
        """Return a connection of this world."""
        return self.connections[name]


def need(*programs: str) -> None:
    """Skip a test whose programs this machine lacks; where all have to be there (CI=true), fail it."""
    missing = [program for program in programs if shutil.which(program) is None and not Path(program).exists()]
    if not missing:
        return
    message = f"{', '.join(missing)} is not installed; `make services` installs what the tests start"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
