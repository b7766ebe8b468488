"""Runs a program that only reads, and takes its exit code or what it prints.

The program is started without a shell. What it prints must be one line: a number where it can be read as one, else
text. With `read: exit_code` the output does not matter. A program that exceeds the condition's timeout is killed.
"""

import asyncio
import contextlib
from typing import Literal

from pydantic import Field

from changewindow.sources.base import Answer, Asking, SourceBase, SourceError

EXAMPLE = {"kind": "command", "run": ["cat", "/proc/loadavg"], "read": "output"}


class Source(SourceBase):
    """A program whose result is read."""

    run: tuple[str, ...] = Field(min_length=1)
    """The program and its arguments."""
    read: Literal["output", "exit_code"] = "output"

    def says(self) -> str:
        """Say the command line."""
        return f"{self.read} of {' '.join(self.run)}"

    async def ask(self, asking: Asking) -> Answer:
        """Run the program."""
        started = asking.now()
        query = " ".join(self.run)
        try:
            process = await asyncio.create_subprocess_exec(
                *self.run,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise SourceError("unreachable", f"'{self.run[0]}' cannot be started: {error.strerror}") from error
        try:
            output, complaint = await process.communicate()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        if self.read == "exit_code":
            return Answer(process.returncode or 0, started, query)
        if process.returncode:
            last = complaint.decode(errors="replace").strip().splitlines()[-1:]
            raise SourceError("unreachable", f"'{query}' ended with exit code {process.returncode}: {' '.join(last)}")
        return Answer(_value(query, output.decode(errors="replace")), started, query)


def _value(query: str, output: str) -> float | str:
    lines = output.strip().splitlines()
    if not lines:
        raise SourceError("no_data", f"'{query}' printed nothing")
    if len(lines) > 1:
        raise SourceError("invalid", f"'{query}' printed {len(lines)} lines, one was expected")
    try:
        return float(lines[0])
    except ValueError:
        return lines[0].strip()
