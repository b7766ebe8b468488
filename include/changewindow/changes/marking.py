"""Tells other tools of a moment of a change, all at once, and waits for none that takes too long."""

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Thread
from time import monotonic
from typing import Any

from changewindow.errors import ChangeError
from changewindow.markers.base import MarkerBase, Moment, bounded
from changewindow.systems.left_behind import run_alone
from changewindow.systems.measurement import Connections, SourceContext, SourceError
from changewindow.watch.shared_answers import client

LATE = "it was not done within {:g}s. See why it is so slow"
MORE = 1.0
"""Seconds after its own limit at which a marker that does not keep to it is left to itself."""
LONGEST = 100
"""Characters of what another tool calls its entry."""


@dataclass(frozen=True)
class Marked:
    """Whether another tool knows of a moment."""

    name: str
    reference: str = ""
    """What the tool calls its entry."""
    failure: str = ""
    """Why it does not know of it."""


def mark_all(markers: Mapping[str, MarkerBase], moment: Moment, connections: Connections) -> list[Marked]:
    """Tell each tool of a moment, and return what became of that, by their names.

    Each has a thread and an event loop of its own, so that none can hold up another, nor us: one that does not keep to
    its limit is left to itself.
    """
    done: Queue[Marked] = Queue()
    for name, marker in markers.items():
        Thread(target=_mark, args=(name, _told(marker, moment, connections), done), daemon=True).start()
    outcomes: dict[str, Marked] = {}
    begun = monotonic()
    while waiting := [name for name in markers if name not in outcomes]:
        limit = max(markers[name].within.total_seconds() for name in waiting) + MORE
        try:
            marked = done.get(timeout=max(begun + limit - monotonic(), 0))
        except Empty:
            outcomes |= {name: Marked(name, failure=LATE.format(limit)) for name in waiting}
        else:
            outcomes[marked.name] = marked
    return [outcomes[name] for name in sorted(outcomes)]


async def _told(marker: MarkerBase, moment: Moment, connections: Connections) -> str:
    """Return what a tool calls its entry, if it says so."""
    async with client() as http:
        return await marker.marked(SourceContext(http, connections), moment) or ""


def _mark(name: str, marking: "Coroutine[Any, Any, str]", done: "Queue[Marked]") -> None:
    """Put into a queue what became of a marker."""
    try:
        done.put(Marked(name, bounded(run_alone(marking), LONGEST)))
    except (SourceError, ChangeError) as error:
        done.put(Marked(name, failure=str(error)))
    except BaseException as error:  # noqa: BLE001  one that breaks takes nothing else along
        done.put(Marked(name, failure=f"{type(error).__name__}: {error}. Its kind has a mistake; report it"))
