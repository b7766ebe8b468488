"""Runs a program that only reads, without blocking the event loop."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass

from changewindow.systems.measurement import SourceError
from changewindow.systems.process.account import OURS, Account
from changewindow.systems.process.environment import built

MOST = 64 << 20
"""In bytes: what is kept of what a program prints."""


@dataclass(frozen=True)
class Printed:
    """What a program has printed, with its exit code."""

    code: int
    output: bytes
    complaint: bytes
    """What it printed to standard error."""


async def printed(
    *arguments: str,
    account: Account = OURS,
    environment: Mapping[str, str] | None = None,
    running: set[int] | None = None,
) -> Printed:
    """Run a program to its end; one that nobody waits for any more is killed with what it has started.

    `environment` is added to the usual one; `running` holds its process group meanwhile, for who has to kill it from
    another thread.

    Raises:
        OSError: it cannot be started.
        SourceError: `invalid`, it prints without end.
    """
    with built(environment, account=account) as variables:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            env=variables,
            cwd=None if account == OURS else variables["HOME"],
            user=account.user,
            group=account.group,
            extra_groups=account.groups,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        running = set() if running is None else running
        running.add(process.pid)
        try:
            output, complaint = await asyncio.gather(_read(process, process.stdout), _read(process, process.stderr))
            await process.wait()
        except BaseException:
            _kill(process)
            raise
        finally:
            running.discard(process.pid)
    for text in (output, complaint):
        if len(text) > MOST:
            raise SourceError("invalid", f"'{arguments[0]}' printed more than {MOST >> 20} MiB, and was killed")
    return Printed(process.returncode or 0, output, complaint)


async def _read(process: asyncio.subprocess.Process, stream: asyncio.StreamReader | None) -> bytes:
    """Return all that comes, or a little too much: who reads many programs must not run out of memory by one."""
    collected = bytearray()
    while chunk := await stream.read(1 << 16) if stream else b"":
        if len(collected) > MOST:
            _kill(process)
        else:
            collected += chunk
    return bytes(collected)


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill a program and what it has started, also when only that is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # what sudo runs is not ours to kill
        os.killpg(process.pid, signal.SIGKILL)
