"""Runs a program that only reads, without blocking the event loop."""

import asyncio
import contextlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Printed:
    """What a program has printed, with its exit code."""

    code: int
    output: bytes
    complaint: bytes
    """What it printed to standard error."""


async def printed(*arguments: str) -> Printed:
    """Run a program to its end; one that nobody waits for any more is killed.

    Raises:
        OSError: it cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, complaint = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    return Printed(process.returncode or 0, output, complaint)
