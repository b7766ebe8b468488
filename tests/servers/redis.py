"""A Redis of the test's own: Debian's server, in memory, on a free port of 127.0.0.1."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from changewindow.cli.airflow_api import wait_for
from step_fixtures import need
from support.ports import free_port


@contextmanager
def redis() -> Iterator[str]:
    """Run a server until the block ends; yield its address, to which the number of a database is to be added."""
    need("redis-server")
    port = free_port()
    with subprocess.Popen(
        ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""], stdout=subprocess.DEVNULL
    ) as server:
        try:
            asked = ["redis-cli", "-p", str(port), "ping"]
            wait_for(
                lambda: b"PONG" in subprocess.run(asked, capture_output=True, check=False).stdout, "Redis", 20, 0.1
            )
            yield f"redis://127.0.0.1:{port}"
        finally:
            server.terminate()
