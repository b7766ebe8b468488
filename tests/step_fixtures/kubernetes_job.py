"""A world for `kubernetes_job`: a cluster whose containers are real programs, and a file that they write."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.steps.kubernetes_job import EXAMPLE
from servers.kubernetes import running
from step_fixtures import World

SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "cart-database", "namespace": "shop"},
    "stringData": {"url": "s3cret-address"},
}


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give the file that stands for the schema; the container needs its secret."""
    schema = folder / "schema"
    with running() as cluster:
        cluster.make(SECRET)
        up = f'test "$DATABASE_URL" = s3cret-address && echo migrating && touch {schema}'
        step = {**EXAMPLE, "command": ["sh", "-c", up], "undo": {"command": ["rm", "-f", str(schema)]}}
        yield World(step, schema.exists, {"example_cluster": cluster.connection()}, cuts=12)
