"""What the triggers of one event loop share."""

import asyncio
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from changewindow.flow.triggerer.abort_signal import AbortSignal
from changewindow.flow.triggerer.progress_writer import ProgressWriter


@dataclass
class TriggererServices:
    """Whether persons have ended changes, and how far watches are: asked and written once for all triggers."""

    aborts: AbortSignal = field(default_factory=AbortSignal)
    progress: ProgressWriter = field(default_factory=ProgressWriter)


_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, TriggererServices] = WeakKeyDictionary()


def services() -> TriggererServices:
    """Return the services of this event loop."""
    return _of_loops.setdefault(asyncio.get_running_loop(), TriggererServices())
