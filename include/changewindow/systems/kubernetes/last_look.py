"""Tells from the look before what no object tells itself: deletions, scales and values that no program owns up to."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from changewindow.systems.collection import Entry, Span
from changewindow.systems.kubernetes.resource import Json
from changewindow.systems.remembered import Difference, Memory, changed_prints, prints

NO_STATE = {"apiVersion", "kind", "metadata", "status"}
"""Fields of which nothing is remembered."""
NO_TRACE = "a deletion leaves no trace but in the audit log of the API server"
BY_LOOK = "compared with the look before; the program that did it wrote other fields too"
UNDATED = "managedFields name the program without a time, and not the person; the look before tells when"
BY_NOBODY = "compared with the look before; the object names no program that wrote it then, so its record was taken out"
SHORT = timedelta(seconds=5)


def state_of(kind: str, obj: Json, fingerprint: Callable[[str], str]) -> str:
    """Return what is remembered of an object: its scale if it has one, and fingerprints of its fields."""
    fields = {name: value for name, value in obj.items() if name not in NO_STATE}
    if kind in {"ConfigMap", "Secret"}:
        fields = {**(obj.get("data") or {}), **(obj.get("binaryData") or {})}
    if kind not in {"Deployment", "StatefulSet"} or not obj.get("spec"):
        return prints(fields, fingerprint)
    spec = {name: value for name, value in obj["spec"].items() if name != "replicas"}
    return f"{obj['spec'].get('replicas', 1)} {prints({**fields, 'spec': spec}, fingerprint)}"


@dataclass(frozen=True)
class Rescaled:
    """A scale that differs from that of the look before."""

    earliest: datetime
    at: datetime
    before: str


def rescaled(memory: Memory, span: Span, ahead: timedelta) -> dict[str, Rescaled]:
    """Return which workloads have another scale than at the look before, by name."""
    differences = [(each, at) for each in memory.differences if (at := each.at(span)) and each.after is not None]
    return {
        each.object: Rescaled(each.earliest + ahead, at + ahead, before)
        for each, at in differences
        for before, after in [tuple(map(_scale, each.values))]
        if before and before != after
    }


def unowned(memory: Memory, entries: Sequence[Entry], span: Span, ahead: timedelta) -> Iterator[Entry]:
    """Yield what only the look before tells; what programs own up to is in the entries."""
    scaled = {entry.object for entry in entries if entry.what.startswith("scaled") and entry.at in span}
    for difference in memory.differences:
        at, name = difference.at(span), difference.object
        if at is None:
            continue
        entry = partial(Entry, at + ahead, name, earliest=difference.earliest + ahead)
        known = {entry.object for entry in entries if entry.at >= difference.earliest + ahead - SHORT}
        before, after = (_scale(value) for value in difference.values)
        if difference.after is None:
            yield entry(f"deleted {difference.when}", known_by=NO_TRACE, known_as=difference.when)
        elif before and before != after and name not in scaled:
            yield entry(f"scaled from {before} to {after} {difference.when}", before, after, known_by=BY_LOOK)
        elif name not in known and (fields := _fields(difference)):
            what = f"changed {difference.when}: {', '.join(fields)}"
            yield entry(what, known_by=BY_NOBODY, known_as=difference.when)


def _fields(difference: Difference) -> list[str]:
    """Return which fields differ, where both looks have kept fingerprints of them."""
    are_kept = "=" in difference.values[0] or difference.object.startswith(("ConfigMap ", "Secret "))
    return changed_prints(*difference.values) if are_kept else []


def _scale(state: str) -> str:
    first = state.partition(" ")[0]
    return first if first.isdecimal() else ""
