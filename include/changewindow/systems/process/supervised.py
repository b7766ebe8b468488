"""Starts programs that cannot outlive who started them."""

import io
import os
import select
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypedDict, cast

from changewindow.systems.process.account import OURS, Account
from changewindow.systems.process.environment import built

GUARD = Path(__file__).with_name("guard.py")
LONGEST = 1 << 17
"""In bytes: a longer line is yielded in parts."""


class ProgramOptions(TypedDict, total=False):
    """How a program is run, and how the log shows it."""

    folder: Path | None
    """The working directory."""
    environment: Mapping[str, str] | None
    """Variables that the program gets besides the usual ones; see `environment.built`."""
    quiet: bool
    """Whether the output is left out of the log; it is logged all the same when the program fails."""
    answers: Collection[int]
    """Exit codes other than 0 that are no failure, but an answer to a question: the log does not show them."""
    shown_as: str
    """What the log shows instead of the arguments."""
    of_ticket: bool
    """Whether the ticket names the program, which then runs as the account for these; see `account`."""
    hide: Callable[[str], str]
    """Takes secrets out of a line before it is logged."""


@dataclass(frozen=True)
class Program:
    """A running program, on a leash: closing the leash kills it with everything it started."""

    process: "subprocess.Popen[bytes]"
    leash: io.FileIO

    def kill(self) -> None:
        """Kill it and wait until it is gone."""
        self.leash.close()
        self.process.wait()

    def lines(self) -> Iterator[str]:
        """Yield the lines of its output until it ends, also when a daemon it started keeps the output open."""
        output, ended = cast("IO[bytes]", self.process.stdout).fileno(), os.pidfd_open(self.process.pid)
        rest = b""
        try:
            while True:
                ready, _, _ = select.select([output, ended], [], [])
                chunk = os.read(output, 65536) if output in ready else b""
                *whole, rest = (rest + chunk).split(b"\n")
                yield from (line.decode(errors="replace") for line in whole)
                if len(rest) >= LONGEST:
                    yield rest.decode(errors="replace")
                    rest = b""
                if not chunk:
                    break
        finally:
            os.close(ended)
        if rest:
            yield rest.decode(errors="replace")


@contextmanager
def guarded(
    arguments: Sequence[str],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    account: Account = OURS,
) -> Iterator[Program]:
    """Start a program that cannot outlive this block nor this process; see `guard`."""
    read_end, write_end = os.pipe()
    with (
        io.FileIO(write_end, "wb") as leash,
        io.FileIO(read_end, "rb") as held,
        built(environment, account=account) as variables,
    ):
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), str(read_end), str(account), *arguments],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[read_end],
            start_new_session=True,
        )
        held.close()
        program = Program(process, leash)
        try:
            yield program
        finally:
            program.kill()
            if process.stdout:
                process.stdout.close()
