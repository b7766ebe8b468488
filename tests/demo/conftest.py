"""Waiting for a condition instead of sleeping."""

import time
from collections.abc import Callable

import pytest

Eventually = Callable[..., None]


@pytest.fixture
def eventually() -> Eventually:
    """Wait until a condition holds, fail at the deadline."""

    def wait(holds: Callable[[], object], seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"did not happen within {seconds} s"
            time.sleep(0.1)

    return wait
