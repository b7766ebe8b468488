"""The words of what a step has announced, by which what was seen is compared with it."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import dropwhile
from typing import Any

from changewindow.systems.command_lines import without_secrets
from changewindow.systems.fingerprints import SHOWN, fingerprint, forms

SEPARATORS = re.compile(r"[\s=,;\"'()\[\]{}<>|&]+")
PLACE = re.compile(r"[\s:/]+")
NEW = ("after", "stored_after")
"""What a step has remembered under these names is how it is afterwards."""
NAMING = ("kind", "name", "path", "resource", "changes", "creates", "deletes")
"""What a step has remembered under these names is what it touches."""
NO_VALUES = {"name", "kind", "connection", "namespace", "timeout", "undo_retries", "undo", "expect", "validate"}
NO_VALUES |= {"lock_timeout", "statement_timeout"}
"""Fields of a step that say nothing of how it makes the world."""
PRINT = "fingerprint:"
"""How the word of a fingerprint begins."""
COMMANDS = re.compile(r"&&|\|\||[;|\n]")
"""What stands between two commands of a line for a shell."""
SYSTEM = re.compile(r"^(?:/usr|/usr/local)?/s?bin/(?=[^/]+$)")
WRAPPERS = ("sudo", "-n", "--", "sh", "bash", "dash", "-c", "-e", "-lc")
"""With what a recorded command line may begin that runs another one."""
SHORTEST_LINE = 8
"""Characters of a command line that is not everybody's."""
LONGEST = 100_000
"""Characters of a value that is taken apart."""


def words(value: Any) -> frozenset[str]:
    """Return every word of a value, however deep it lies."""
    if isinstance(value, Mapping):
        return frozenset(word for inner in value.values() for word in words(inner))
    if isinstance(value, list | tuple):
        return frozenset(word for inner in value for word in words(inner))
    if value is None:
        return frozenset()
    text = str(value).lower() if isinstance(value, bool) else str(value)
    split = SEPARATORS.split(SHOWN.sub(PRINT, text)) if len(text) < LONGEST else ()
    return frozenset(word.rstrip(".") for word in split) - {""}  # a name of DNS may end with a dot


@dataclass(frozen=True)
class Values:
    """What a step has announced, or remembers, to compare with what collectors show of it."""

    value: Any
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    """Those of the collectors' fingerprints: what they show so is compared so."""

    @cached_property
    def words(self) -> frozenset[str]:
        """Return every word of it."""
        return words(self.value)

    @cached_property
    def prints(self) -> frozenset[str]:
        """Return the words of the fingerprints of all that it holds."""
        texts = {text for text in forms(self.value) if len(text) < LONGEST}
        return frozenset(word for key in self.keys for text in texts for word in words(fingerprint(key, text)))

    def hold(self, shown: frozenset[str]) -> bool:
        """Return whether all words that are shown are of it; of a secret, the fingerprint is shown."""
        rest = shown - self.words
        return not rest or (all(word.startswith(PRINT) for word in rest) and rest <= self.prints)


def under(remembered: Any, names: Collection[str]) -> list[Any]:
    """Return what stands under some names, wherever it lies."""
    if isinstance(remembered, Mapping):
        return [value if name in names else under(value, names) for name, value in remembered.items()]
    return [under(value, names) for value in remembered] if isinstance(remembered, list | tuple) else []


def forward(announced: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a step that say how it makes the world."""
    return {name: value for name, value in announced.items() if name not in NO_VALUES}


def fields(value: Any) -> frozenset[str]:
    """Return the names of all fields, however deep they lie, without underscores: `config_map` is a ConfigMap."""
    if isinstance(value, Mapping):
        inner = (name for part in value.values() for name in fields(part))
        return frozenset(str(name).casefold().replace("_", "") for name in value).union(inner)
    inside = value if isinstance(value, list | tuple) else ()
    return frozenset(name for part in inside for name in fields(part))


def places(named: frozenset[str]) -> frozenset[str]:
    """Return words that name something, with all their parts: `deployment/orders` has two."""
    lower = frozenset(word.casefold() for word in named)
    return lower.union(part for word in lower for part in PLACE.split(word)) - {""}


def is_line_of(program: Any, recorded: str) -> bool:
    """Return whether a command line that a system has recorded is the program of a step, or a part of its shell line.

    Arguments are compared one by one: with one more, it is another program.
    """
    ran = _program(recorded)
    return any(ran == line for line in _lines(program) if len(" ".join(line)) >= SHORTEST_LINE)


def _lines(program: Any) -> list[list[str]]:
    """Return the words of a program, and those of each command of a line for a shell."""
    if isinstance(program, Mapping):
        line = str(program.get("shell") or "")
        return [_program(part) for part in (line, *COMMANDS.split(line))]
    return [_program(" ".join(map(str, program)))] if isinstance(program, list | tuple) else []


def _program(line: str) -> list[str]:
    """Return the words of a command line from its program on; one of the system may have its path or not."""
    ran = [SYSTEM.sub("", word) for word in SEPARATORS.split(without_secrets(line)) if word]
    return list(dropwhile(lambda word: word in WRAPPERS, ran))
