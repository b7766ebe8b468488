"""The middleware that lets one writing request at a time into the API server."""

import asyncio
from typing import Any

import pytest

from changewindow.flow.server.single_writer import SingleWriter


class Application:
    """An application that counts how many requests are in it at once."""

    def __init__(self) -> None:
        self.inside = self.most = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Take a moment."""
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0.01)
        self.inside -= 1
        if scope.get("path") == "/fails":
            raise ValueError(scope["path"])


async def ask(app: Any, method: str, path: str = "/") -> None:
    """Send one request."""
    await app({"type": "http", "method": method, "path": path}, None, None)


@pytest.mark.parametrize(("method", "most"), [("POST", 1), ("PATCH", 1), ("DELETE", 1), ("GET", 5)])
async def test_only_reading_requests_run_side_by_side(method: str, most: int) -> None:
    """Writes wait for each other; reads do not."""
    inner = Application()
    app = SingleWriter(inner)
    await asyncio.gather(*(ask(app, method) for _ in range(5)))
    assert inner.most == most


async def test_a_failing_write_lets_the_next_one_in() -> None:
    """A request that fails does not keep the lock."""
    app = SingleWriter(Application())
    with pytest.raises(ValueError, match="/fails"):
        await ask(app, "POST", "/fails")
    await asyncio.wait_for(ask(app, "POST"), 1)
