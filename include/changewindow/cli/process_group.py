"""Ends Airflow's components with all that they started.

A component that is killed alone leaves children behind that nobody ends. The scheduler's workers keep its ports, and on
PostgreSQL its connection: the server does not notice its death, and rows stay locked that the next scheduler needs.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress


def stop(leader: "subprocess.Popen[bytes]", seconds: float = 15) -> None:
    """End a process group by its leader: asked first, killed when it does not listen. May be called twice."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(leader.pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            leader.poll()
            if not _lives(leader.pid):
                return
            time.sleep(0.1)


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
