"""Runs a program that only reads, and takes its exit code or what it prints.

The program is started without a shell. What it prints must be one line: a number where it can be read as one, else
text. At most 10,000 bytes are read. With `read: exit_code` the output does not matter. A program that exceeds the
condition's timeout is killed.
"""

import math
import re
import signal
from typing import ClassVar, Literal

from pydantic import Field

from changewindow.sources.base import SourceBase
from changewindow.systems.alerts_in_promql import mentioned_alerts
from changewindow.systems.measurement import Answer, SourceContext, SourceError
from changewindow.systems.process.account import account_for_tickets
from changewindow.systems.process.output import printed

EXAMPLE = {"kind": "command", "run": ["cat", "/proc/loadavg"], "read": "output"}

LONGEST = 10_000
"""In bytes: how much may be printed where it is read."""
NUMBER = r"(?i)[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|[+-]?(nan|inf|infinity)"
"""What reads as a number; Python would also take 1_000 for one, and digits of other scripts."""
WHOLE = r"[+-]?[0-9]+"
"""Such a number that is exact; a float may have to round it."""


class Source(SourceBase):
    """A program whose result is read."""

    kind: Literal["command"] = "command"
    why_not_before_approval: ClassVar[str] = "it would start the ticket's program"
    run: tuple[str, ...] = Field(min_length=1)
    """The program and its arguments."""
    read: Literal["output", "exit_code"] = "output"

    def description(self) -> str:
        """Return the command line and what is read of it."""
        return f"{self.read} of {' '.join(self.run)}"

    def unseen(self) -> str:
        """Return what in the command line speaks of alerts."""
        return mentioned_alerts(" ".join(self.run))

    async def ask(self, context: SourceContext) -> Answer:
        """Run the program."""
        started = context.now()
        query = " ".join(self.run)
        try:
            ran = await printed(*self.run, account=account_for_tickets())
        except OSError as error:
            raise SourceError("unreachable", f"'{self.run[0]}' cannot be started: {error.strerror}") from error
        if ran.code < 0:
            name = signal.strsignal(-ran.code) or f"signal {-ran.code}"
            raise SourceError("unreachable", f"'{query}' was killed ({name}) before it ended by itself")
        if self.read == "exit_code":
            return Answer(ran.code, started, query)
        if ran.code:
            last = ran.complaint.decode(errors="replace").strip().splitlines()[-1:]
            raise SourceError("unreachable", f"'{query}' ended with exit code {ran.code}: {' '.join(last)}")
        if len(ran.output) > LONGEST:
            raise SourceError("invalid", f"'{query}' printed {len(ran.output):,} bytes, one line of {LONGEST} is read")
        return Answer(_value(query, ran.output.decode(errors="replace")), started, query)


def _value(query: str, output: str) -> float | str:
    lines = output.strip().splitlines()
    if not lines:
        raise SourceError("no_data", f"'{query}' printed nothing")
    if len(lines) > 1:
        raise SourceError("invalid", f"'{query}' printed {len(lines)} lines, one was expected")
    line = lines[0].strip()
    if not re.fullmatch(NUMBER, line):
        return line
    number = float(line)
    is_rounded = re.fullmatch(WHOLE, line) and math.isfinite(number) and int(line) != number
    return int(line) if is_rounded else number
