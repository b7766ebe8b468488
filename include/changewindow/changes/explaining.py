"""Says which change explains what a collector saw, and why; time and service alone explain only what has no value."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from changewindow.changes.our_changes import Act, OurChange
from changewindow.systems.collection import Entry

MARGIN = timedelta(seconds=5)
"""How much clocks, and the time until something shows, may differ."""
SEPARATORS = re.compile(r"[\s=,;\"'()\[\]{}]+")
PLACE = re.compile(r"[\s:/]+")
NEW = ("after", "stored_after")
"""What a step has remembered under these names is how it is afterwards."""
LONGEST = 100_000
"""Characters of a value that is taken apart."""
SHORTEST_LINE = 8
"""Characters of a command line that is not everybody's."""


@dataclass(frozen=True)
class Explanation:
    """The change that explains an entry, if any does, and the reason."""

    change: str
    """Empty: nobody."""
    why: str
    by_value: bool = False
    """Whether what was announced is what was seen; else only time and service agree."""
    by_object: bool = False
    """Whether a step names what was changed, of which no value could be compared."""


@dataclass(frozen=True)
class Scope:
    """Whose an entry is; empty is everybody's."""

    environment: str
    services: tuple[str, ...]

    def has(self, change: OurChange) -> bool:
        """Return whether a change may have done it."""
        there = self.environment in {"", change.environment}
        return there and (not self.services or bool({*self.services} & {*change.services}))


def explain(entry: Entry, scope: Scope, ours: Sequence[OurChange]) -> Explanation:
    """Return which of our changes did it: by target, time and value, else by target and time where nothing compares."""
    near = [change for change in ours if scope.has(change) and change.acted_at(entry.at, MARGIN)]
    for change in near:
        for act in _begun(change, entry.at):
            if why := _same_value(entry, act):
                return Explanation(change.id, f"step {act.number} '{act.name}' {why}", by_value=True)
    if not near:
        return Explanation("", f"no change acted on {_named(scope)} then")
    first = near[0]
    if entry.after or entry.before:
        return Explanation("", f"{first.id} acted on {_named(scope)} then, but no step of it announced this value")
    if not scope.services:
        return Explanation("", f"{first.id} acted then, but nothing shows that it did this")
    naming = (act for change in near for act in _begun(change, entry.at) if _names(act, entry.object))
    if named := next(naming, None):
        why = f"step {named.number} '{named.name}' names it; no value could be compared"
        return Explanation(named.change, why, by_object=True)
    return Explanation(first.id, "by service and time only: no value could be compared")


def _begun(change: OurChange, at: datetime) -> Iterator[Act]:
    """Yield the steps that had begun by then, the newest first."""
    yield from sorted((act for act in change.acts if act.began - MARGIN <= at), key=lambda act: act.began, reverse=True)


def _same_value(entry: Entry, act: Act) -> str:
    """Return why an entry is what a step has announced, or nothing."""
    line = " ".join(str(part) for part in act.announced.get("run") or () if isinstance(part, str))
    if len(line) >= SHORTEST_LINE and line in entry.what:
        return "announced this command line"
    if not _names(act, entry.object):
        return ""
    if f"{act.change}/{act.number}" in SEPARATORS.split(entry.what):
        return "is named by the commit"
    new = _words(entry.after) - _words(entry.before)
    if new and new <= _words(act.announced) | _words(_new(act.remembered)):
        return "announced this value"
    is_undone = act.undoing is not None and act.undoing - MARGIN <= entry.at
    return "had this value restored" if new and is_undone and new <= _words(act.remembered) else ""


def _names(act: Act, object: str) -> bool:  # noqa: A002  as the entry calls it
    """Return whether a step names what was changed: the last part of its name stands somewhere in the step."""
    parts = [part for part in PLACE.split(object.casefold()) if part]
    named = {part for word in _words(act.announced) for part in PLACE.split(word.casefold())}
    return bool(parts) and parts[-1] in named


def _words(value: Any) -> set[str]:
    """Return every word of a value, however deep it lies."""
    if isinstance(value, Mapping):
        return {word for inner in value.values() for word in _words(inner)}
    if isinstance(value, list | tuple):
        return {word for inner in value for word in _words(inner)}
    if value is None:
        return set()
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return set(SEPARATORS.split(text)) - {""} if len(text) < LONGEST else set()


def _new(remembered: Any) -> list[Any]:
    """Return what stands under the names of new values, wherever it lies."""
    if isinstance(remembered, Mapping):
        return [value if name in NEW else _new(value) for name, value in remembered.items()]
    return [_new(value) for value in remembered] if isinstance(remembered, list | tuple) else []


def _named(scope: Scope) -> str:
    where = f" in {scope.environment}" if scope.environment else ""
    return f"{', '.join(scope.services) or 'anything'}{where}"
