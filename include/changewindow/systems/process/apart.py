"""Computes what may take long in a process of its own, which is killed when nobody waits for it any more.

What an event loop computes itself, all its watches wait for; a thread would not help, as Python runs one at a time.
"""

import asyncio
import os
import pickle
import resource
import signal
import struct
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar, cast
from weakref import WeakKeyDictionary

from changewindow.systems.measurement import SourceError
from changewindow.systems.process.environment import built

T = TypeVar("T")
P = ParamSpec("P")
SMALL = 32 << 10
"""In bytes: what is so small is computed at once, in some hundredths of a second."""
AT_ONCE = 4
"""How many compute at the same time, each for another change."""
PATIENCE = 1.0
"""Seconds that one waits for another."""
WITHIN = 3
"""Seconds that one may take: fewer than a reading, so that it can still say why there is none."""
MEMORY = 2 << 30
"""In bytes: what one may take of it."""
PROGRAM = "from changewindow.systems.process.apart import serve; serve()"
PART = 1 << 20
"""In bytes: so much is handed over at once, while others wait."""
READY = b"!"
"""What a worker says first: to start takes longer than most answers do."""
HEAD = struct.Struct("!Q")
"""Before each message: how long it is."""
asker: ContextVar[str] = ContextVar("asker", default="")
"""The change for which something is computed: of each, one thing at a time."""


async def apart(function: Callable[P, T], size: int, /, *arguments: P.args, **named: P.kwargs) -> T:
    """Return what a function of a module returns, or raise what it raises; `size` says how much it goes through.

    Raises:
        SourceError: `invalid`, it takes too much time or memory.
    """
    if size <= SMALL:
        return function(*arguments, **named)
    try:
        async with _of_loop().lent() as worker, asyncio.timeout(WITHIN):
            result, error = await worker.answer(pickle.dumps((function, arguments, named)))
    except (TimeoutError, asyncio.IncompleteReadError, OSError) as failed:
        reason = f"takes longer than {WITHIN} s" if isinstance(failed, TimeoutError) else "takes too much memory"
        raise SourceError("invalid", f"to read an answer of {size >> 10:,} KiB {reason}. Ask for less") from failed
    if error is not None:
        raise error
    return cast("T", result)


@dataclass
class _Worker:
    """A process that computes, one thing after another."""

    process: asyncio.subprocess.Process
    is_idle: bool = True

    async def answer(self, asked: bytes) -> tuple[Any, Exception | None]:
        """Return what it returns, and what it raises."""
        questions = cast("asyncio.StreamWriter", self.process.stdin)
        answers = cast("asyncio.StreamReader", self.process.stdout)
        self.is_idle = False
        questions.write(HEAD.pack(len(asked)))
        for start in range(0, len(asked), PART):
            questions.write(asked[start : start + PART])
            await questions.drain()
        (length,) = HEAD.unpack(await answers.readexactly(HEAD.size))
        answer: tuple[Any, Exception | None] = pickle.loads(await answers.readexactly(length))  # noqa: S301  it is ours
        self.is_idle = True
        return answer

    async def end(self) -> None:
        """End it, whatever it does."""
        # Its pipes too: one that nobody reads any more is never found closed, and outlives the loop.
        self.process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001
        await self.process.wait()


@dataclass
class _Workers:
    """The workers of one event loop."""

    few: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    turns: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    idle: list[_Worker] = field(default_factory=list)

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[_Worker]:
        """Lend a worker; one that has not answered by then is killed.

        Raises:
            SourceError: `late`, all are busy for others.
        """
        async with self.turns[asker.get()]:
            await self._free()
            try:
                async with self._lent() as worker:
                    yield worker
            finally:
                self.few.release()

    async def _free(self) -> None:
        """Wait until fewer than allowed compute, but not for long."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self.few.acquire()
        except TimeoutError as error:
            problem = (
                f"{AT_ONCE} other changes have answers of more than {SMALL >> 10} KiB read, for {PATIENCE:g} s now"
            )
            raise SourceError("late", f"{problem}, which says nothing about the service") from error

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[_Worker]:
        worker = self.idle.pop() if self.idle else await _started()
        try:
            yield worker
        finally:
            if worker.is_idle:
                self.idle.append(worker)
            else:
                await worker.end()


_workers: WeakKeyDictionary[asyncio.AbstractEventLoop, _Workers] = WeakKeyDictionary()


def _of_loop() -> _Workers:
    loop = asyncio.get_running_loop()
    return _workers.get(loop) or _workers.setdefault(loop, _Workers())


async def end() -> None:
    """End the workers of this event loop that compute nothing."""
    for worker in _workers.pop(asyncio.get_running_loop(), _Workers()).idle:
        await worker.end()


async def _started() -> _Worker:
    """Start a worker, which finds our modules where we do, and knows nothing else of us."""
    with built({"PYTHONPATH": os.pathsep.join(sys.path)}) as environment:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-c", PROGRAM),
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
    worker = _Worker(process)
    try:
        await cast("asyncio.StreamReader", process.stdout).readexactly(len(READY))
    except BaseException:
        await worker.end()
        raise
    return worker


def serve() -> None:
    """Compute what comes in, until nobody is there any more; more important processes go first."""
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    answers.write(READY)
    answers.flush()
    while head := questions.read(HEAD.size):
        asked = questions.read(*HEAD.unpack(head))
        signal.alarm(2 * WITHIN)  # kills us, should nobody be left to do so
        answer = _computed(asked)
        signal.alarm(0)
        answers.write(HEAD.pack(len(answer)) + answer)
        answers.flush()


def _computed(asked: bytes) -> bytes:
    """Return the result of a call, and its error, as bytes; without memory there is none."""
    function, arguments, named = pickle.loads(asked)  # noqa: S301  it is ours
    result, error = None, None
    try:
        result = function(*arguments, **named)
    except MemoryError:
        sys.exit(1)
    except Exception as raised:  # noqa: BLE001  it is raised again where it was asked for
        error = raised
    try:
        return pickle.dumps((result, error))
    except Exception:  # noqa: BLE001  such as an error that holds what cannot be sent
        return pickle.dumps((None, ValueError(f"{type(error).__name__} {error}")))
