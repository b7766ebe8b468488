"""Keeps what was done from a terminal in a file of sealed lines, each on the disk before what it speaks of is done.

A line carries the seal of the one before it, so that none can be altered, left out or put elsewhere. Only an end that
is cut off cannot be seen: then the journal is one whose process died, and is rolled back.
"""

import fcntl
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any, Self

from changewindow.ledger.seal import Seal

PURPOSE = "line of a journal"
NAME = re.compile("[0-9a-f]{16}")
SUFFIX = ".journal"
REFUSED = ".refused"


@dataclass(frozen=True)
class Line:
    """One thing that was done or found."""

    what: str
    at: datetime
    data: dict[str, Any]


@dataclass(frozen=True)
class Content:
    """What a journal says, as far as its seals hold."""

    lines: tuple[Line, ...]
    altered: int = 0
    """The number of the first line whose seal does not hold; 0: there is none."""
    strange: str = ""
    """What to say of the seal of that line, if it is by a key that is not known here, which accuses nobody."""
    seal: str = ""
    """That of the last good line."""
    length: int = 0
    """The bytes of the good lines; what follows them is a line that a crash has cut short."""


class Journal:
    """The journal of one emergency or record; whoever has it open holds it against every other process."""

    def __init__(self, path: Path, seal: Seal, descriptor: int) -> None:
        self.path = path
        self._seal, self._descriptor = seal, descriptor
        self._lock = RLock()
        known = content(path, seal)
        self.altered, self.strange = known.altered, known.strange
        self.lines, self._newest = list(known.lines), known.seal
        if not self.altered:
            os.ftruncate(descriptor, known.length)

    @property
    def identity(self) -> str:
        """Return the name by which the ledger knows where its change came from."""
        return self.path.stem

    @classmethod
    def create(cls, folder: Path, seal: Seal) -> Self:
        """Return a new journal, which only its owner may read.

        Raises:
            OSError: it cannot be written.
            SealKeyMissing: nothing can be sealed.
        """
        _ = seal.newest
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{secrets.token_hex(8)}{SUFFIX}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _sync(folder)
        return cls(path, seal, descriptor)

    @classmethod
    def take(cls, path: Path, seal: Seal) -> Self | None:
        """Return the journal of a file; nothing while another process has it, or where it has gone.

        Raises:
            OSError: it cannot be read.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists():
                return cls(path, seal, descriptor)
        except BlockingIOError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def write(self, what: str, at: datetime, data: dict[str, Any]) -> None:
        """Add a line; when this returns, it is on the disk.

        Raises:
            OSError: it is not, and nothing of it: half a line would spoil those that come after it.
        """
        with self._lock:
            at = at.astimezone(UTC)
            seal = self._seal.of(PURPOSE, _sealed(self.identity, len(self.lines), self._newest, Line(what, at, data)))
            line = {"what": what, "at": at.isoformat(), "data": data, "seal": seal}
            written = f"{json.dumps(line)}\n".encode()
            end = os.lseek(self._descriptor, 0, os.SEEK_END)
            try:
                while written:
                    written = written[os.write(self._descriptor, written) :]
                os.fsync(self._descriptor)
            except OSError:
                os.ftruncate(self._descriptor, end)
                raise
            self.lines.append(Line(what, at, data))
            self._newest = seal

    def close(self, *, suffix: str | None = None) -> None:
        """Let go of the file; with a suffix it is set aside under another name, an empty one removes it."""
        if suffix == "":
            self.path.unlink(missing_ok=True)
        elif suffix:
            self.path.replace(self.path.with_suffix(suffix))
        with suppress(OSError):
            os.close(self._descriptor)


def journals(folder: Path) -> list[Path]:
    """Return the files of the journals in a folder, oldest first."""
    files = [path for path in folder.glob(f"*{SUFFIX}") if NAME.fullmatch(path.stem)]
    return sorted(files, key=lambda path: (path.stat().st_mtime_ns, path.name))


def content(path: Path, seal: Seal) -> Content:
    """Return what a journal says, up to the first line whose seal does not hold."""
    lines: list[Line] = []
    newest, length = "", 0
    for raw in _whole(path.read_bytes()):
        line, line_seal = _parsed(raw)
        if line is None or not seal.holds(line_seal, PURPOSE, _sealed(path.stem, len(lines), newest, line)):
            return Content(tuple(lines), len(lines) + 1, seal.why_strange(line_seal), newest, length)
        lines.append(line)
        newest, length = line_seal, length + len(raw) + 1
    return Content(tuple(lines), seal=newest, length=length)


def _whole(raw: bytes) -> Iterator[bytes]:
    """Yield the lines that are whole: nothing was done on the strength of one that a crash has cut short."""
    yield from raw.split(b"\n")[:-1]


def _parsed(raw: bytes) -> tuple[Line | None, str]:
    try:
        given = json.loads(raw)
        line = Line(str(given["what"]), datetime.fromisoformat(given["at"]), dict(given["data"]))
        return line, str(given["seal"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None, ""


def _sealed(identity: str, place: int, before: str, line: Line) -> list[Any]:
    return [identity, place, before, line.what, line.at.isoformat(), line.data]


def _sync(folder: Path) -> None:
    """Have the name of a new file on the disk, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
