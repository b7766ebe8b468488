"""A world for `config_file`: a service on this machine that has loaded its file; its own tests go over ssh."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from changewindow.steps.config_file import EXAMPLE
from step_fixtures import World


def look(folder: Path) -> Any:
    """Return all that lies in a folder, with modes; hidden files too."""
    return {file.name: (file.read_text(), oct(file.stat().st_mode)) for file in folder.iterdir()}


def service(folder: Path) -> dict[str, Any]:
    """Give a file, and what the service loaded of it; return the step that changes both."""
    folder.mkdir()
    file, loaded = folder / "pool.ini", folder / "loaded"
    for path in (file, loaded):
        path.write_text("[pool]\nmax_idle = 1\n")
    file.chmod(0o604)
    return {**EXAMPLE, "path": str(file), "reload": ["cp", "{file}", str(loaded)]}


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give the service; it lies on the worker, which spares each of many programs the way through ssh."""
    there = folder / "it's"
    step = service(there)
    del step["connection"]
    yield World(step, lambda: look(there))
