"""Writes the log lines of triggers beside their event loop, in their order.

Airflow's triggerer reads the log of its triggers from a pipe, and sends them new triggers. While it sends many, it
reads nothing: a trigger that waits for room in the pipe would stop the event loop that is to take them in, for ever.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from functools import cache
from queue import SimpleQueue

from changewindow.watch.reading import level_of

log = logging.getLogger(__name__)
PATIENCE = 1.0
"""Seconds a trigger that is done waits for its last lines."""
Lines = SimpleQueue[tuple[Context, Callable[[], object]]]


def write_line(line: str) -> None:
    """Write a line of a watch into the log of the task that the running trigger belongs to; returns at once."""
    write_at(level_of(line), line)


def write_at(level: int, line: str) -> None:
    """Write any other line there; see `write_line`."""
    _lines(os.getpid()).put((copy_context(), lambda: log.log(level, "%s", line)))


async def flush() -> None:
    """Wait until all lines up to now are written."""
    done, loop = asyncio.Event(), asyncio.get_running_loop()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop has ended; whoever writes next still needs this thread
            loop.call_soon_threadsafe(done.set)

    _lines(os.getpid()).put((copy_context(), wake))
    with suppress(TimeoutError):
        await asyncio.wait_for(done.wait(), PATIENCE)


@cache
def _lines(process: int) -> Lines:
    """Return the queue of a process, and the thread that empties it."""
    lines: Lines = SimpleQueue()
    threading.Thread(target=_write, args=(lines,), name="changewindow-log", daemon=True).start()
    return lines


def _write(lines: Lines) -> None:
    while True:
        context, write = lines.get()
        context.run(write)
