"""A world for `git_change`: a repository with a release on a branch of its own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from changewindow.steps.git_change import EXAMPLE
from changewindow.systems.connection import Connection
from changewindow.systems.git.access import AUTHOR
from step_fixtures import World


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder; return what it printed."""
    environment = {**os.environ, **AUTHOR}
    return subprocess.check_output(["git", *arguments], cwd=folder, env=environment, text=True).strip()


_KEPT = tempfile.TemporaryDirectory(prefix="repository-")


def repository(folder: Path) -> Path:
    """Make a repository whose release branch has another version than its main branch."""
    return Path(shutil.copytree(_made(), folder))


@cache
def _made() -> Path:
    """Make it once in a process: tests start from copies, each of which would take a dozen programs."""
    folder = Path(_KEPT.name) / "made"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "version").write_text("1")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    git(folder, "checkout", "-q", "-b", "release/v2.15.0")
    (folder / "version").write_text("2")
    git(folder, "commit", "-qam", "second")
    git(folder, "checkout", "-q", "--detach")
    return folder


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give the repository; what counts is what its main branch holds."""
    made = repository(folder / "config")
    known = Connection("example_config", "git", host=str(made), login="robot", password="s3cret-of-git")
    first = git(made, "rev-parse", "main")
    yield World(
        EXAMPLE,
        lambda: git(made, "show", "main:version"),
        {"example_config": known},
        reset=lambda: git(made, "update-ref", "refs/heads/main", first),
        cuts=50,
    )
