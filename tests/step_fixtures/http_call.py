"""A world for `http_call`: a service with one flag."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.steps.http_call import EXAMPLE
from changewindow.systems.connection import Connection
from step_fixtures import World
from support.recording_server import Request, recording_server


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Serve the flag, which is off at first."""
    state = {"flag": '{"enabled": false}'}

    def put(request: Request) -> tuple[int, str]:
        state["flag"] = request.body
        return 204, ""

    with recording_server() as server:
        server.answers["PUT " + EXAMPLE["path"]] = put
        known = Connection("example_service", "http", host=server.url, login="robot", password="s3cret-of-the-service")
        yield World(EXAMPLE, lambda: dict(state), {"example_service": known})
