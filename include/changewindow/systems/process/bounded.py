"""Computes for somebody who waits what a stranger's text may make long: in a process of its own, for a limited time.

Python runs one thread at a time, so a thread would keep everybody else waiting, and nothing ends it.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Lock, Timer
from typing import IO, ParamSpec, TypeVar, cast

from changewindow.systems.process.apart import HEAD, READY
from changewindow.systems.process.environment import built

T = TypeVar("T")
P = ParamSpec("P")
WITHIN = 5.0
"""Seconds that one may usually take; `serve` ends itself a second later."""
START = 60
"""Seconds that a process may take to get ready."""
PATIENCE = 3
"""Seconds that one waits for others."""


class TooLong(Exception):
    """Something took more time or memory than it may, or others were busy for too long; the text says which."""


@dataclass
class _Worker:
    """A process that computes, one thing after another; apart from that it knows nothing of ours."""

    process: "subprocess.Popen[bytes]"

    def say(self, asked: bytes) -> bytes:
        """Return its answer.

        Raises:
            OSError, EOFError: it has died.
        """
        questions = cast("IO[bytes]", self.process.stdin)
        questions.write(HEAD.pack(len(asked)) + asked)
        questions.flush()
        (length,) = HEAD.unpack(self.read(HEAD.size))
        return self.read(length)

    def read(self, length: int) -> bytes:
        """Return so many bytes of what it says."""
        said = cast("IO[bytes]", self.process.stdout).read(length)
        if len(said) < length:
            raise EOFError
        return said

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Kill it should it take longer."""
        timer = Timer(seconds, self.process.kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def end(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self.process.communicate()


@dataclass
class Workers:
    """Processes that compute, and have got ready for it before they are asked."""

    ready: Callable[[], None]
    """A function of a module by which a process gets ready."""
    at_once: int = 2
    """How many compute at the same time."""
    within: float = WITHIN
    """Seconds that each may take."""
    _idle: list[_Worker] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)
    _asking: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._free = BoundedSemaphore(self.at_once)

    def compute(self, person: str, function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """Return what a function returns, or raise what it raises; of each person one thing at a time is computed.

        Raises:
            TooLong: it takes more than some seconds or too much memory, or others keep everything busy.
        """
        with self._turn(person):
            worker = self._lent()
            try:
                with worker.within(self.within):
                    answer = worker.say(pickle.dumps((function, arguments, named)))
            except (OSError, EOFError) as error:
                worker.end()
                raise TooLong(f"it takes longer than {self.within:g} s, or too much memory") from error
            with self._lock:
                self._idle.append(worker)
        result, raised = pickle.loads(answer)  # noqa: S301  it is ours
        if raised is not None:
            raise raised
        return cast("T", result)

    @contextmanager
    def _turn(self, person: str) -> Iterator[None]:
        with self._lock:
            if person in self._asking:
                raise TooLong("something else that you have asked for is not ready yet")
            self._asking.add(person)
        try:
            if not self._free.acquire(timeout=PATIENCE):
                raise TooLong("too many people ask at the same time")
            try:
                yield
            finally:
                self._free.release()
        finally:
            with self._lock:
                self._asking.discard(person)

    def _lent(self) -> _Worker:
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        return worker if worker and worker.process.poll() is None else self._started()

    def _started(self) -> _Worker:
        """Start a process, which finds our modules where we do."""
        first = f"from {self.ready.__module__} import {self.ready.__name__} as ready; ready()"
        program = f"{first}; from changewindow.systems.process.apart import serve; serve()"
        with built({"PYTHONPATH": os.pathsep.join(sys.path)}) as environment:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", program],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            worker = _Worker(process)
            try:
                with worker.within(START):
                    worker.read(len(READY))
            except EOFError as error:
                worker.end()
                raise TooLong("what judges did not start; the log of Airflow's API server says why") from error
        return worker

    def prepare(self) -> None:
        """Have a process ready, unless there was one already."""
        with self._lock:
            is_first = not self._idle and not self._asking
        if is_first:
            self.compute("", int)

    def end(self) -> None:
        """End the processes that compute nothing."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()
