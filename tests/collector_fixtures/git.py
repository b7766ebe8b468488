"""A world for `git`: a repository into which somebody pushes."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.collectors.git import EXAMPLE
from changewindow.systems.connection import Connection
from collector_fixtures import Made, World
from step_fixtures.git_change import git


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Make it, with a first commit."""
    git(folder, "init", "-q", "-b", "main", ".")
    commit(folder, "First")
    connection = Connection("orders_config", "git", host=str(folder))
    yield World(
        EXAMPLE,
        lambda: Made("orders_config:main", "Dora <dora@example.com>", commit(folder, "Raise max_idle")),
        lambda text: print(commit(folder, text)[:1]),
        {**EXAMPLE, "branches": ["gone"]},
        (connection,),
    )


def commit(repository: Path, message: str, *, at: str = "", file: str = "pool.yaml") -> str:
    """Commit a file as Dora; return the message."""
    (repository / file).write_text(f"# {len(message)}\n", encoding="utf-8")
    dated = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at} if at else {}
    author = {"GIT_AUTHOR_NAME": "Dora", "GIT_AUTHOR_EMAIL": "dora@example.com"}
    git(repository, "add", file)
    subprocess.run(
        ["git", "commit", "--quiet", "--allow-empty", "--file=-", "--cleanup=verbatim"],
        cwd=repository,
        env={**os.environ, **author, **dated, "GIT_COMMITTER_NAME": "Dora", "GIT_COMMITTER_EMAIL": "dora@example.com"},
        input=message.encode(errors="surrogatepass"),
        check=True,
    )
    return message
