"""A copy of a repository that remembers where its branches were, each time that they were fetched."""

import asyncio
import fcntl
import shutil
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import IO, Protocol

from changewindow.systems.git.history import Commit, commits, log_arguments, time_of
from changewindow.systems.measurement import SourceError

PAUSE = 0.1
"""Seconds."""
NEVER = datetime.min.replace(tzinfo=UTC)


class Git(Protocol):
    """Runs git."""

    def __call__(self, *arguments: str) -> Awaitable[bytes]:
        """Return what it prints.

        Raises:
            SourceError: it failed.
        """


@dataclass(frozen=True)
class Move:
    """A branch that was seen in another place than before."""

    at: datetime
    old: str
    new: str


@dataclass
class Mirror:
    """A copy that nothing is ever taken out of, also what a force push has taken away."""

    folder: Path
    run: Git
    fetched: datetime = NEVER
    """When the newest fetch began."""
    fetched_before: datetime = NEVER
    """When the one before it ended."""

    async def git(self, *arguments: str) -> bytes:
        """Return what git prints."""
        return await self.run("git", "-C", str(self.folder), *arguments)

    async def fetch(self, address: str, branches: Sequence[str]) -> None:
        """Bring branches up to date; a mirror that was never finished is made anew."""
        complete = self.folder / "complete"
        self.fetched = datetime.now(UTC).replace(microsecond=0)  # as exact as git's record
        if complete.exists():
            self.fetched_before = datetime.fromtimestamp(complete.stat().st_mtime, UTC)
        else:
            await self._make()
        heads = [f"+refs/heads/{branch}:refs/heads/{branch}" for branch in branches]
        await self.git("fetch", "--quiet", "--no-tags", "--", address, *heads)
        complete.touch()

    async def _make(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        await self.git("init", "--quiet", "--bare", "--template=", ".")
        await self.git("config", "core.logAllRefUpdates", "always")
        await self.git("config", "gc.auto", "0")  # it would forget what was pushed away

    async def head(self, branch: str) -> str:
        """Return the newest commit of a branch."""
        return (await self.git("rev-parse", f"refs/heads/{branch}")).decode().strip()

    async def begin_at(self, branch: str, head: str) -> bool:
        """Let the record of a mirror that was just made begin where a branch was at an earlier look.

        Returns whether that commit is still there; if not, nobody can tell what became of the branch since.
        """
        now, ref = await self.head(branch), f"refs/heads/{branch}"
        if now == head:
            return True
        try:
            await self.git("cat-file", "-e", f"{head}^{{commit}}")
        except SourceError:
            return False
        await self.git("update-ref", "-d", ref)  # with its record, which began just now
        await self.git("update-ref", ref, head)
        await self.git("update-ref", ref, now)
        return True

    async def moves(self, branch: str) -> list[Move]:
        """Return each time that a fetch saw a branch in another place, the oldest first."""
        how = ("log", "--walk-reflogs", "--date=unix", "--format=%H %gd", f"refs/heads/{branch}", "--")
        lines = [line.split(" ", 1) for line in (await self.git(*how)).decode(errors="replace").splitlines()]
        places = [(head, time_of(selector.rpartition("@{")[2].rstrip("}"))) for head, selector in reversed(lines)]
        return [Move(at, old, new) for (old, _), (new, at) in pairwise(places) if old != new]

    def begun(self) -> datetime:
        """Return since when every branch is known."""
        logs = [file for file in (self.folder / "logs" / "refs" / "heads").rglob("*") if file.is_file()]
        firsts = [file.read_text(errors="replace").partition("\n")[0].partition("\t")[0] for file in logs]
        return max((time_of(first.split()[-2]) for first in firsts), default=self.fetched)

    async def log(self, chosen: str, most: int) -> list[Commit]:
        """Return the newest of some commits."""
        return commits(await self.git(*log_arguments(chosen, most)))


@asynccontextmanager
async def locked(folder: Path) -> AsyncIterator[None]:
    """Keep a folder of mirrors for one look at a time; the next one waits."""
    with _lock(folder) as lock:
        while not _taken(lock):  # noqa: ASYNC110  waiting for it in the kernel would block the event loop
            await asyncio.sleep(PAUSE)
        yield


def _lock(folder: Path) -> IO[str]:
    folder.mkdir(parents=True, exist_ok=True)
    return (folder / "lock").open("w")


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
