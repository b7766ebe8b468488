"""Matches regular expressions from outside: with RE2, or in a process of its own that can be killed.

Changes that were approved before RE2 judged their expressions may look ahead or refer to groups. Python's `re` does
that, and may take for ever.
"""

import json
import os
import select
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from typing import IO, cast

from changewindow.documents.expressions import compiled
from changewindow.documents.text import shown
from changewindow.systems.measurement import SourceError

PATIENCE = 0.25
"""Seconds that Python's `re` may take for one text; so long may other watches wait for it, once."""
LONGEST = 100_000
"""Characters that it is given."""
SLOWEST_START = 5.0
"""Seconds until the process with Python's `re` must be there."""
PROGRAM = """
import json, re, sys
print(flush=True)
for line in sys.stdin:
    expression, text, is_whole = json.loads(line)
    try:
        match = (re.fullmatch if is_whole else re.search)(expression, text)
        print(json.dumps(match is not None), flush=True)
    except Exception as error:
        print(json.dumps(str(error)), flush=True)
"""


def matches(expression: str, text: str) -> bool:
    """Return whether an expression matches the whole text.

    Raises:
        SourceError: `invalid`, it cannot be used, or takes too long.
    """
    try:
        return compiled(expression).fullmatch(text.encode(errors="replace")) is not None
    except ValueError:
        return _pythons(os.getpid()).match(expression, text, is_whole=True)


def occurs(expression: str, text: str) -> bool:
    """Return whether an expression matches somewhere in a text; see `matches`."""
    try:
        return compiled(expression).search(text.encode(errors="replace")) is not None
    except ValueError:
        return _pythons(os.getpid()).match(expression, text, is_whole=False)


@dataclass
class _Python:
    """Python's `re`, in a process of its own."""

    process: "subprocess.Popen[str] | None" = None
    refused: dict[str, str] = field(default_factory=dict)
    """Why an expression is not tried again."""
    one_at_a_time: Lock = field(default_factory=Lock)

    def match(self, expression: str, text: str, *, is_whole: bool) -> bool:
        """Return whether an expression matches; one that took too long is never tried again.

        Raises:
            SourceError: `invalid`, it cannot be used, or takes too long.
        """
        if len(text) > LONGEST:
            fault = f"for a text of {len(text):,} characters write it for RE2, without look-arounds and back-references"
            raise SourceError("invalid", f"the expression {shown(expression)} cannot be used: {fault}")
        with self.one_at_a_time:
            if expression not in self.refused:
                answer = self._ask(json.dumps((expression, text, is_whole)))
                if isinstance(answer, bool):
                    return answer
                self.refused[expression] = answer
            raise SourceError(
                "invalid", f"the expression {shown(expression)} cannot be used: {self.refused[expression]}"
            )

    def _ask(self, question: str) -> bool | str:
        """Return whether it matches, or why that is not known."""
        process = self.process or self._started()
        questions, answers = cast("tuple[IO[str], IO[str]]", (process.stdin, process.stdout))
        try:
            questions.write(f"{question}\n")
            questions.flush()
            if _comes(answers, PATIENCE):
                return cast("bool | str", json.loads(answers.readline()))
            why = f"it took longer than {PATIENCE:g} s. Write it for RE2, without look-arounds and back-references"
        except (OSError, ValueError) as error:
            why = f"{type(error).__name__} {error}".rstrip()
        process.kill()
        process.communicate()
        self.process = None
        return why

    def _started(self) -> "subprocess.Popen[str]":
        """Start the process; what it needs to know of its surroundings is nothing."""
        arguments = [sys.executable, "-I", "-S", "-c", PROGRAM]
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={}, bufsize=1
        )
        started = cast("IO[str]", self.process.stdout)
        if _comes(started, SLOWEST_START):
            started.readline()
        return self.process


def _comes(stream: IO[str], within: float) -> bool:
    """Return whether there is something to read within so many seconds."""
    return bool(select.select([stream], [], [], within)[0])


@cache
def _pythons(_process: int) -> _Python:
    """Return what evaluates for this process; a fork has its own."""
    return _Python()
