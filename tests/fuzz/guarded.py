"""Runs one case within limits of time and memory, and says what went wrong with it."""

import json
import re
import resource
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Protocol

from support.layout import INCLUDE

BUSY = 2.0
"""Seconds of processor time that a case may take."""
WAITING = 20.0
"""Seconds in all: a busy machine says nothing about us, and whatever waits has given up long before."""
MEMORY = 1 << 30
"""Bytes by which the process may grow."""


class TooSlow(BaseException):
    """A case took too long; nothing that catches errors may catch this."""


class Wrong(Exception):
    """What was done with a case is not what must be done."""


class Surface(Protocol):
    """Something that reads what others have written."""

    name: str

    def case(self, random: Random) -> Any:
        """Return a case."""

    def try_out(self, case: Any) -> None:
        """Have it read; whatever this raises is a finding, and so is what takes too long."""


@dataclass(frozen=True)
class Finding:
    """Something that broke."""

    surface: str
    number: int
    error: str
    """Its last line."""
    where: str
    """The innermost place of ours, by which findings are told apart."""
    trace: str
    case: str

    @property
    def key(self) -> tuple[str, str]:
        """Return what makes two of them the same."""
        return self.surface, f"{self.where} {re.sub('[0-9]+', '', self.error)[:60]}"

    def write(self, folder: Path) -> Path:
        """Keep it for whoever mends it."""
        path = folder / f"{self.surface}-{self.number}.txt"
        folder.mkdir(parents=True, exist_ok=True)
        text = f"{self.surface}:{self.number}\n{self.trace}\n{self.case[:200_000]}\n"
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
        return path


def random_of(seed: int, surface: str, number: int) -> Random:
    """Return the random numbers of one case; they depend on nothing else."""
    return Random(f"{seed}:{surface}:{number}")  # noqa: S311  nothing is hidden by them


def tried(surface: Surface, seed: int, number: int) -> Finding | None:
    """Try a case; return what is wrong."""
    case = None
    try:
        with _within_time():
            case = surface.case(random_of(seed, surface.name, number))
            surface.try_out(case)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001  that is what is looked for
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if frame.filename.startswith(f"{INCLUDE}/changewindow")] or frames
        where = f"{Path(ours[-1].filename).name}:{ours[-1].name}"
        trace = "".join(traceback.format_exception(error))[-20_000:]
        return Finding(
            surface.name, number, traceback.format_exception_only(error)[-1].strip()[:300], where, trace, repr(case)
        )
    return None


@contextmanager
def _within_time() -> Iterator[None]:
    def too_busy(*_: Any) -> None:
        raise TooSlow(f"more than {BUSY:g} s of processor time")

    def too_late(*_: Any) -> None:
        raise TooSlow(f"more than {WAITING:g} s")

    signal.signal(signal.SIGPROF, too_busy)
    signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_PROF, BUSY)
    signal.setitimer(signal.ITIMER_REAL, WAITING)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def limit_memory() -> None:
    """Let this process grow by so much, and by no more; what it starts sets limits of its own."""
    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def sent(value: Any) -> str:
    """Return something as it would leave the system: as JSON in UTF-8."""
    text = json.dumps(value, default=str)
    text.encode()
    return text
