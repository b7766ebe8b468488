"""The source http: what it reads of a reply."""

from typing import Any

import pytest
from pydantic import ValidationError

from asks import asked
from changewindow.condition import Condition
from changewindow.connection import Connection
from changewindow.sources.http import EXAMPLE
from known import Told


async def test_json_that_python_cannot_parse_is_invalid(server: Told) -> None:
    """Ten thousand lists in lists end no watch."""
    server.otherwise = (200, "[" * 100_000)
    reading = await asked({**EXAMPLE, "read": "json"}, Connection("example_service", "http", host=server.url))
    assert (reading.verdict, reading.cause) == ("error", "invalid")


@pytest.mark.xfail(strict=True, reason="`json` is ignored unless `read: json` stands beside it")
def test_a_path_that_nobody_reads_is_refused() -> None:
    """`pass: {above: 5}` would hold for the status 200, whatever the reply says."""
    source: dict[str, Any] = {"kind": "http", "connection": "example_service", "path": "/health", "json": "pool.open"}
    with pytest.raises(ValidationError):
        Condition.model_validate({"name": "it", "source": source, "pass": {"above": 5}})
