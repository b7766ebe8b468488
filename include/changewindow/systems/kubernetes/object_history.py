"""Tells from an object of a cluster what became of it, as far as the object itself and its revisions tell."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

from changewindow.documents.moments import utc
from changewindow.systems.collection import Entry
from changewindow.systems.command_lines import without_secrets
from changewindow.systems.kubernetes.helm import TYPE, release
from changewindow.systems.kubernetes.last_look import UNDATED, Rescaled
from changewindow.systems.kubernetes.leaves import NOTHING, Path, changed, described, dotted, leaves
from changewindow.systems.kubernetes.managed_fields import KNOWN_BY, REPLICAS, Writer, undated_scaler, writers
from changewindow.systems.kubernetes.resource import WORKLOADS, Json
from changewindow.systems.kubernetes.revisions import Revision, revisions

NAMED = 8
TOGETHER = timedelta(seconds=5)
"""Who writes this soon after an object was made, has made it; the same holds for revisions."""
DATA = {"data", "stringData", "binaryData"}
TEMPLATE = ("spec", "template")
ROUTINE = {
    ("metadata", "annotations", name)
    for name in ("control-plane.alpha.kubernetes.io/leader", "deployment.kubernetes.io/revision")
}
"""What controllers write all by themselves, beside the status."""
NOT_LAST = "only the last writer of a pod template is known; the audit log of the API server has the others"
NO_WRITER = "the object names no program that wrote it; the audit log of the API server does"
OF_HELM = "the release's own record, which does not name who ran Helm"


@dataclass(frozen=True)
class Histories:
    """Reads the history of objects of one namespace from a moment on."""

    namespace: str
    since: datetime
    fingerprint: Callable[[str], str]
    kept: Mapping[str, Sequence[Json]]
    """The objects that keep the revisions of workloads, by kind of workload."""
    scalers: Mapping[str, str]
    """The autoscaler of each workload that has one, by the names of both as entries have them."""
    keys: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Which keys of a ConfigMap or Secret have changed, where the look before tells."""
    rescaled: Mapping[str, Rescaled] = field(default_factory=dict)
    """Which workloads have another scale than at the look before."""

    def name(self, kind: str, obj: Json) -> str:
        """Return the name of an object in entries."""
        return f"{kind} {self.namespace}/{obj['metadata']['name']}"

    def of(self, kind: str, obj: Json) -> list[Entry]:
        """Return what became of an object.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is not as a server writes it.
        """
        if kind == "Secret" and obj.get("type") == TYPE:
            return [self._released(obj)]
        known = revisions(obj, self.kept.get(kind, ())) if kind in WORKLOADS else []
        return [entry for entry in self._entries(kind, obj, known) if entry.at >= self.since]

    def _entries(self, kind: str, obj: Json, known: Sequence[Revision]) -> Iterator[Entry]:
        name, wrote = self.name(kind, obj), writers(obj)
        created = utc(obj["metadata"]["creationTimestamp"])
        first = next((writer for writer in wrote if writer.at - created < TOGETHER), None)
        if created >= self.since:
            by, known_by = (first.by, KNOWN_BY) if first else ("", NO_WRITER)
            absent, values = self._values(kind, obj, first.fields, "nothing") if first else ("", "")
            yield Entry(created, name, "created", absent, values, by, known_by)
        if deleted := obj["metadata"].get("deletionTimestamp"):
            yield Entry(utc(deleted), name, "is being deleted", known_by=NO_WRITER)
        later = [writer for writer in wrote if writer != first and writer.at >= self.since]
        of_template = [writer for writer in wrote if any(path[:2] == TEMPLATE for path in writer.fields)]
        explained: set[Writer] = set()
        for before, revision in pairwise((None, *known)):
            if revision and (before or revision.number > 1):
                entry, writer = self._revised(name, before, revision, of_template if revision is known[-1] else [])
                explained |= {writer} if writer else set()
                yield entry
        rescaled = self.rescaled.get(name)
        if rescaled and (scaler := undated_scaler(obj, rescaled.at)):
            scaled = self._scaled(name, obj, scaler)
            yield replace(scaled, before=rescaled.before, known_by=UNDATED, earliest=rescaled.earliest)
        for writer in later:
            if REPLICAS in writer.fields and {path[:2] for path in writer.fields} == {REPLICAS}:
                yield self._scaled(name, obj, writer)
            elif writer not in explained and not {*writer.fields} <= ROUTINE:
                yield self._written(kind, obj, writer)

    def _revised(
        self, name: str, before: Revision | None, revision: Revision, of_template: Sequence[Writer]
    ) -> tuple[Entry, Writer | None]:
        """Return the entry of a revision, and who wrote it if that is known."""
        is_put_back = before is not None and revision.made < before.made
        writer = of_template[-1] if of_template else None
        if writer and not is_put_back and abs(writer.at - revision.made) > TOGETHER:
            writer = None
        at = writer.at if writer and is_put_back else revision.made
        again = " (an earlier one again)" if is_put_back else ""
        cause = f"; {without_secrets(revision.cause)}" if revision.cause else ""  # may be the command line of kubectl
        by, known_by = (writer.by, KNOWN_BY) if writer else ("", NOT_LAST)
        if before is None:
            text = f"revision {revision.number}{again}: what it changed is not known, the one before is not kept{cause}"
            return Entry(at, name, text, by=by, known_by=known_by), writer
        paths = changed(before.template, revision.template)
        what = f"revision {revision.number}{again}: {_listed([dotted(path) for path in paths])}{cause}"
        new = described(revision.template, paths, self.fingerprint)
        old = described({**dict.fromkeys(paths, NOTHING), **before.template}, paths, self.fingerprint)
        return Entry(at, name, what, old, new, by, known_by), writer

    def _scaled(self, name: str, obj: Json, writer: Writer) -> Entry:
        replicas, scaler = obj["spec"].get("replicas", 1), self.scalers.get(name, "")
        if writer.is_autoscaler:
            how = f" by the autoscaler {scaler}" if scaler else " by an autoscaler"
        else:
            how = f" by hand, although {scaler} owns its scale" if scaler else " by hand"
        return Entry(writer.at, name, f"scaled to {replicas}{how}", "", str(replicas), writer.by, KNOWN_BY)

    def _written(self, kind: str, obj: Json, writer: Writer) -> Entry:
        name = self.name(kind, obj)
        keys = self.keys.get(name, ())
        fields_changed = [path for path in writer.fields if path[0] not in DATA or path[1:2] == () or path[1] in keys]
        fields = fields_changed if keys and fields_changed else writer.fields
        removed = sorted({*keys} - {*(obj.get("data") or {})})
        gone = f"; removed: {', '.join(removed[:NAMED])}" if removed else ""
        what = f"written: {_listed([dotted(path) for path in fields])}{gone}"
        before, after = self._values(kind, obj, fields, "?")
        return Entry(writer.at, name, what, before, after, writer.by, KNOWN_BY)

    def _values(self, kind: str, obj: Json, paths: Sequence[Path], unknown: str) -> tuple[str, str]:
        """Return the values that a program has written, as they are now; those of a Secret only as fingerprints."""
        fields = leaves(obj)
        if kind == "Secret":
            fields |= {path: self.fingerprint(str(value)) for path, value in fields.items() if path[0] in DATA}
        before = "\n".join(f"{dotted(path)} = {unknown}" for path in paths if path in fields)
        return before, described(fields, paths, self.fingerprint)

    def _released(self, secret: Json) -> Entry:
        known = release(secret)
        what = f"release revision {known.revision} of chart {known.chart}: {known.status}; {known.description}"
        return Entry(known.at, f"Helm release {self.namespace}/{known.name}", what, after=known.chart, known_by=OF_HELM)


def happened(event: Json, namespace: str) -> Entry | None:
    """Return what an event tells; None where it tells only what a pod does in its life.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is not as a server writes it.
    """
    about = event["involvedObject"]
    if about.get("kind") == "Pod" and event.get("type") != "Warning":
        return None
    series = event.get("series") or {}
    at = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    count = series.get("count") or event.get("count") or 1
    times = f" ({count} times)" if count > 1 else ""
    what = f"event {event.get('reason')}{times}: {event.get('message', '')}"
    by = str(event.get("reportingComponent") or (event.get("source") or {}).get("component") or "")
    at = utc(at or event["metadata"]["creationTimestamp"])
    name = f"{about.get('kind')} {namespace}/{about.get('name')}"
    return Entry(at, name, what, by=by, known_by="the event says so", is_symptom=True)


def _listed(names: Sequence[str]) -> str:
    more = f" or others of its {len(names)} fields" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED]) or 'nothing that shows'}{more}"
