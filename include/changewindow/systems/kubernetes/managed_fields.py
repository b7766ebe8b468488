"""Reads from an object which program wrote which of its fields, and when."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from changewindow.documents.moments import utc
from changewindow.systems.kubernetes.leaves import DEEPEST, MOST, Path
from changewindow.systems.kubernetes.resource import Json

KNOWN_BY = "managedFields name the program, not the person; the audit log of the API server does"
REPLICAS = ("spec", "replicas")


@dataclass(frozen=True)
class Writer:
    """A program, when it wrote an object for the last time, and the fields that are its own since."""

    manager: str
    operation: str
    subresource: str
    at: datetime
    fields: tuple[Path, ...]

    @property
    def by(self) -> str:
        """Return who it is."""
        details = ", ".join(filter(None, (self.operation, self.subresource)))
        return f"{self.manager} ({details})"

    @property
    def is_autoscaler(self) -> bool:
        """Return whether it is the controller of HorizontalPodAutoscalers, which scales as part of this manager."""
        is_controller = self.manager in {"kube-controller-manager", "horizontal-pod-autoscaler", "keda-operator"}
        return is_controller and REPLICAS in self.fields


def writers(obj: Json) -> list[Writer]:
    """Return who wrote an object, the latest last; without those that only report its status.

    Raises:
        ValueError: it has no managed fields as a server writes them.
    """
    entries = obj["metadata"].get("managedFields") or []
    read = [_writer(entry, utc(entry["time"])) for entry in entries if entry.get("time") and _is_shown(entry)]
    return sorted((writer for writer in read if writer.fields), key=lambda writer: writer.at)


def undated_scaler(obj: Json, at: datetime) -> Writer | None:
    """Return who owns the scale of an object without a time, as if it had written it at a moment; None: nobody.

    Kubernetes 1.36 keeps no time of what was written to the subresource `scale`.
    """
    entries = obj["metadata"].get("managedFields") or []
    undated = (_writer(entry, at) for entry in entries if not entry.get("time") and _is_shown(entry))
    return next((writer for writer in undated if REPLICAS in writer.fields), None)


def _is_shown(entry: Any) -> bool:
    return bool(entry.get("subresource") != "status")


def _writer(entry: Any, at: datetime) -> Writer:
    manager, operation, subresource = (str(entry.get(name) or "") for name in ("manager", "operation", "subresource"))
    paths = _paths(entry.get("fieldsV1") or {}, ())
    fields = tuple(path for _, path in zip(range(MOST), paths, strict=False) if path[:1] != ("status",))
    return Writer(manager, operation, subresource, at, fields)


def _paths(fields: Any, path: Path) -> Iterator[Path]:
    """Yield the fields of a set as the API writes it: `f:` a field, `k:` an item by its keys, `v:` by its value."""
    inside = {name: part for name, part in fields.items() if name != "."} if isinstance(fields, dict) else {}
    if path and (not inside or len(path) >= DEEPEST):
        yield path
        return
    for name, part in inside.items():
        yield from _paths(part, (*path, _name(str(name))))


def _name(text: str) -> str:
    sign, _, name = text.partition(":")
    if sign != "k":
        return name
    try:
        keys = json.loads(name)
    except ValueError:
        return name
    return str(keys.get("name") or name) if isinstance(keys, dict) else name
