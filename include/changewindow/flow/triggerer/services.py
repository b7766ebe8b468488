"""What the triggers of one event loop share."""

import asyncio
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from changewindow.flow.triggerer.abort_signal import AbortSignal
from changewindow.flow.triggerer.progress_writer import ProgressWriter
from changewindow.flow.triggerer.room import Queue


@dataclass
class TriggererServices:
    """Whether changes have ended, how far watches are, and whether there is room: once for all triggers."""

    aborts: AbortSignal = field(default_factory=AbortSignal)
    progress: ProgressWriter = field(default_factory=ProgressWriter)
    room: Queue = field(default_factory=Queue)


_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, TriggererServices] = WeakKeyDictionary()


def services() -> TriggererServices:
    """Return the services of this event loop."""
    return _of_loops.setdefault(asyncio.get_running_loop(), TriggererServices())
