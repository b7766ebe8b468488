"""An interrupt in the middle of whatever the terminal is doing leads to the rollback, and to nothing else."""

import io
import os
import signal
import sys
import time

import pytest

from changewindow.changes.direct_hands import Hands
from changewindow.cli.emergency_here import interruptible
from support import direct


class Interrupting(io.RawIOBase):
    """A terminal whose user presses Ctrl-C while the first line is being written."""

    def __init__(self) -> None:
        self.written = b""

    def writable(self) -> bool:
        """Return that it can be written to."""
        return True

    def write(self, data: object) -> int:
        """Keep what is written; the first time, be interrupted in the middle of it."""
        is_first = not self.written
        self.written += bytes(data)  # type: ignore[call-overload]
        if is_first:
            os.kill(os.getpid(), signal.SIGINT)
        return len(bytes(data))  # type: ignore[call-overload]


def test_an_interrupt_in_the_middle_of_a_line_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is written whole, and then that it is rolled back."""
    raw = Interrupting()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BufferedWriter(raw), write_through=True))
    hands: Hands = direct.hands("http://127.0.0.1:1")
    with interruptible(hands):
        print("step 1", file=sys.stderr, flush=True)
        until = time.monotonic() + 60
        while b"is rolled back" not in raw.written and time.monotonic() < until:
            time.sleep(0.01)
    assert hands.stop.reason == "interrupted (SIGINT)"
    begun, told = raw.written.decode().splitlines()
    assert (begun, told.partition(" ")[2]) == ("step 1", "interrupted: what has begun is rolled back")
