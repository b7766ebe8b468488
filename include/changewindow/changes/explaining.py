"""Says which change explains what a collector saw, and why; time and service alone explain only what has no value."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from changewindow.changes.announced import fields, is_line_of, words
from changewindow.changes.by_hand import MARGIN, told_by
from changewindow.changes.commit_comparison import is_announced
from changewindow.changes.our_changes import UNDO, Act, OurChange
from changewindow.ledger.records import Kept
from changewindow.systems.collection import Entry
from changewindow.systems.place import is_elsewhere

OF_A_CLUSTER = re.compile(r"(?P<kind>[A-Z][A-Za-z]+) (?P<namespace>[^\s/]+)/(?P<name>\S+)")
OF_A_HOST = re.compile(r"[^/]*?:(?P<path>/.*)")
LAST = re.compile(r"[\s:]")
CUT = "…"
"""Ends a text of which more was there."""


@dataclass(frozen=True)
class Explanation:
    """The change that explains an entry, if any does, and the reason."""

    change: str
    """Empty: nobody."""
    why: str
    by_value: bool = False
    """Whether what was announced is what was seen; else only time and service agree."""
    by_object: bool = False
    """Whether a step that acted just then names what was changed, of which no value could be compared."""
    record: str = ""
    """The record that tells of it: it was done by hand, and no change explains it."""
    recorded_by: str = ""
    """Who has told it."""


@dataclass(frozen=True)
class Scope:
    """Whose an entry is; empty is everybody's."""

    environment: str
    services: tuple[str, ...]

    def has(self, change: OurChange) -> bool:
        """Return whether a change may have done it."""
        return self.covers(change.environment, change.services)

    def covers(self, environment: str, services: Sequence[str]) -> bool:
        """Return whether one of these services there may have to do with it."""
        there = self.environment in {"", environment}
        return there and (not self.services or bool({*self.services} & {*services}))


def explained(entry: Entry, scope: Scope, ours: Sequence[OurChange], by_hand: Sequence[Kept] = ()) -> Explanation:
    """Return which of our changes did it, or else which record tells of it: that is told, and never approved."""
    by_change = explain(entry, scope, ours)
    if by_change.by_value or by_change.by_object:
        return by_change
    for kept in by_hand:
        manual = kept.manual
        if scope.covers(manual.environment, manual.services) and (told := told_by(manual, entry)).explains:
            return Explanation("", told.why, record=kept.change, recorded_by=kept.person)
    return by_change


def explain(entry: Entry, scope: Scope, ours: Sequence[OurChange]) -> Explanation:
    """Return which of our changes did it: by target, time and value, else by target and time where nothing compares."""
    if entry.came_with:
        return _of_package(explain(entry.came_with, scope, ours), entry.came_with)
    near = [change for change in ours if scope.has(change) and change.acted_between(entry.since, entry.at, MARGIN)]
    if known := _by_value(entry, near):
        return known
    if not near:
        return Explanation("", f"no change acted on {_named(scope)} then")
    first = near[0]
    if entry.is_run or entry.after or entry.before:
        value = "command line" if entry.is_run else "value"
        return Explanation("", f"{first.id} acted on {_named(scope)} then, but no step of it announced this {value}")
    if not scope.services:
        return Explanation("", f"{first.id} acted then, but nothing shows that it did this")
    acting = (act for change in near for act in _begun(change, entry) if _acted(act, entry) and _names(act, entry))
    naming = (act for act in acting if not is_elsewhere(act.place, entry.place))
    if named := next(naming, None):
        why = f"step {named.number} '{named.name}' names it; no value could be compared"
        return Explanation(named.change, why, by_object=True)
    return Explanation(first.id, "by service and time only: no value could be compared")


def _by_value(entry: Entry, near: Sequence[OurChange]) -> Explanation | None:
    """Return the step that has announced this value, or that it did so elsewhere; None where none has."""
    elsewhere: Explanation | None = None
    for act in (act for change in near for act in _begun(change, entry)):
        if why := _same_value(entry, act):
            told = f"step {act.number} '{act.name}' {why}"
            if not is_elsewhere(act.place, entry.place):
                return Explanation(act.change, told, by_value=True)
            wrong = f"{act.change} acted then, and its {told} for the {act.place}, not the {entry.place}"
            elsewhere = elsewhere or Explanation("", wrong)
    return elsewhere


def _of_package(explained: Explanation, package: Entry) -> Explanation:
    """Return what explains a file: what explains the package with which it came, by value and nothing less."""
    name = package.object.rpartition(":")[2]
    if explained.by_value:
        return replace(explained, why=f"it is as the package {name} ships it, and {explained.why}")
    nobody = f"it came with the package {name}, whose change nobody announced"
    return Explanation("", f"{nobody}: {explained.why}")


def _begun(change: OurChange, entry: Entry) -> Iterator[Act]:
    """Yield the steps that had begun by then, the newest first."""
    begun = (act for act in change.acts if act.began - MARGIN <= entry.at)
    yield from sorted(begun, key=lambda act: act.began, reverse=True)


def _acted(act: Act, entry: Entry) -> bool:
    """Return whether a step was just being applied or undone."""
    return any(
        began - MARGIN <= entry.at and (ended is None or entry.since <= ended + MARGIN) for began, ended in act.times
    )


def _same_value(entry: Entry, act: Act) -> str:
    """Return why an entry is what a step has announced, or nothing."""
    is_forward = act.undoing is None or entry.since <= act.undoing + MARGIN
    is_undone = act.undoing is not None and act.undoing - MARGIN <= entry.at
    programs = [*([act.announced.get("run")] if is_forward else []), *([act.announced.get(UNDO)] if is_undone else [])]
    is_whole = not entry.command.endswith(CUT)
    if entry.command and is_whole and any(is_line_of(program, entry.command) for program in programs):
        return "announced this command line"
    if entry.commit and is_announced(entry, entry.commit, act, is_undone=is_undone):
        return "is named by the commit, which holds what it announced"
    if not _names(act, entry):
        return ""
    new = words(entry.after) - words(entry.before)
    if not new or entry.after.endswith(CUT):
        return ""
    if is_forward and act.new.hold(new):
        return "announced this value"
    return "had this value restored" if is_undone and act.former.hold(new) else ""


def _names(act: Act, entry: Entry) -> bool:
    """Return whether a step names what was changed: by its path, by kind and name, or by its name."""
    if match := OF_A_HOST.fullmatch(entry.object):
        return match["path"].casefold() in act.places
    if match := OF_A_CLUSTER.fullmatch(entry.object):
        kinds = act.places | fields(act.announced)
        return (
            match["namespace"] in _namespaces(act, match["namespace"])
            and match["kind"].casefold() in kinds
            and match["name"] in act.places
        )
    parts = words(LAST.split(entry.object)[-1].casefold())
    return bool(parts) and parts <= act.places


def _namespaces(act: Act, otherwise: str) -> set[str]:
    """Return the namespaces that a step acts in; where nobody wrote down which its connection means, any."""
    default = act.place.namespace if act.place else ""
    manifests = (each.get("metadata") for each in act.announced.get("manifests", ()) if isinstance(each, Mapping))
    named = {str(metadata["namespace"]) for metadata in manifests if metadata and metadata.get("namespace")}
    return {str(act.announced.get("namespace") or default or otherwise), *named}


def _named(scope: Scope) -> str:
    where = f" in {scope.environment}" if scope.environment else ""
    return f"{', '.join(scope.services) or 'anything'}{where}"
