"""Asks all collectors at once, and waits for none that takes too long."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from time import monotonic

from changewindow.changes.kept import keep, kept_in
from changewindow.changes.own_looks import OwnLook, as_looks, own_look
from changewindow.collectors.base import CollectorBase, CollectorContext, OurChanges
from changewindow.errors import ChangeError
from changewindow.systems.collection import Collected, Span
from changewindow.systems.left_behind import run_alone
from changewindow.systems.measurement import Connections, SourceError
from changewindow.watch.shared_answers import client

LATE = "no answer within {:g}s. Ask for less time, or see why it is so slow"


@dataclass(frozen=True)
class Look:
    """What a collector has answered, or why it has not."""

    name: str
    collector: CollectorBase
    collected: Collected | None = None
    failure: str = ""

    def knowing(self, own: Iterable[OwnLook]) -> "Look":
        """Return it with the looks of our own collectors as such."""
        return replace(self, collected=as_looks(self.collected, own)) if self.collected else self


@dataclass(frozen=True)
class Surroundings:
    """What all collectors may use."""

    connections: Connections
    folder: Path
    """Where each has a folder of its own."""
    key: bytes = field(repr=False)
    """By which secrets are fingerprinted; the same one where they are compared with earlier ones."""
    our_changes: OurChanges | None = None


def gather(collectors: Mapping[str, CollectorBase], span: Span, using: Surroundings, *, limit: float) -> list[Look]:
    """Return what each collector answers within so many seconds, by their names.

    Each has a thread and an event loop of its own, so that none can hold up another, nor us: one that is not done by
    then is left to itself, and the programs that it runs are killed.
    """
    answers: Queue[Look] = Queue()
    asked = {name: _Asked(name, collector, using) for name, collector in collectors.items()}
    for one in asked.values():
        Thread(target=one.run, args=(span, answers), name=f"collector {one.name}", daemon=True).start()
    looks: dict[str, Look] = {}
    over = monotonic() + limit
    with suppress(Empty):
        while len(looks) < len(asked):
            look = answers.get(timeout=max(over - monotonic(), 0))
            looks[look.name] = look
    for name in asked.keys() - looks.keys():
        asked[name].abandon()
        looks[name] = Look(name, collectors[name], failure=LATE.format(limit))
    own = [each.own for each in asked.values() if each.own]
    return [looks[name].knowing(own) for name in sorted(looks)]


class _Asked:
    """A collector that is asked, in a thread of its own."""

    def __init__(self, name: str, collector: CollectorBase, using: Surroundings) -> None:
        self.name, self.collector, self.using = name, collector, using
        self.context: CollectorContext | None = None
        self.stopping: tuple[asyncio.AbstractEventLoop, asyncio.Task[Collected]] | None = None
        self.is_abandoned = False
        self.own: OwnLook | None = None
        """What it runs as root; other collectors may see that."""

    def run(self, span: Span, answers: "Queue[Look]") -> None:
        """Put the answer, or why there is none, into a queue."""
        try:
            answers.put(Look(self.name, self.collector, run_alone(self._collected(span))))
        except (SourceError, ChangeError) as error:
            answers.put(Look(self.name, self.collector, failure=str(error)))
        except OSError as error:
            failure = f"{type(error).__name__}: {error}. Look at {self.using.folder / self.name}"
            answers.put(Look(self.name, self.collector, failure=failure))
        except BaseException as error:  # noqa: BLE001  one collector that breaks takes no answer of the others along
            broken = f"{type(error).__name__}: {error}. The kind {_kind(self.collector)} has a mistake; report it"
            answers.put(Look(self.name, self.collector, failure=broken))

    async def _collected(self, span: Span) -> Collected:
        folder = self.using.folder / self.name
        self.own = await own_look(self.name, self.collector, self.using.connections)
        async with client() as http:
            self.context = CollectorContext(
                http,
                self.using.connections,
                folder=folder,
                kept=kept_in(folder, self.using.key),
                our_changes=self.using.our_changes,
                is_abandoned=self.is_abandoned,
                key=self.using.key,
            )
            task = asyncio.ensure_future(self.collector.look(span, self.context))
            self.stopping = asyncio.get_running_loop(), task
            collected = await task
        keep(folder, self.context.kept, self.using.key)
        return collected

    def abandon(self) -> None:
        """Kill its programs, and stop it if it lets itself be stopped."""
        self.is_abandoned = True
        if self.context:
            self.context.abandon()
        if self.stopping:
            loop, task = self.stopping
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(task.cancel)


def _kind(collector: CollectorBase) -> str:
    return type(collector).__module__.rpartition(".")[2]
