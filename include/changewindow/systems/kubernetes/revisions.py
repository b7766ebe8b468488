"""Reads the revisions of workloads, as `kubectl rollout history` does, from what their controllers keep."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from changewindow.documents.moments import utc
from changewindow.systems.kubernetes.diagnosis import owned
from changewindow.systems.kubernetes.leaves import leaves
from changewindow.systems.kubernetes.resource import Json

NUMBER = "deployment.kubernetes.io/revision"
CAUSE = "kubernetes.io/change-cause"
OF_CONTROLLERS = {"pod-template-hash", "controller-revision-hash"}


@dataclass(frozen=True)
class Revision:
    """A pod template that a workload has or had."""

    number: int
    made: datetime
    """When this template was new; a rollback gives it a new number, and leaves this."""
    template: dict[tuple[str, ...], Any]
    cause: str
    """What `kubernetes.io/change-cause` says."""


def revisions(workload: Json, kept: Sequence[Json]) -> list[Revision]:
    """Return the revisions of a workload that are kept, the latest last.

    Raises:
        KeyError, TypeError, ValueError: what is kept is not as a server writes it.
    """
    of_it = owned(kept, workload)
    read = [_of_replica_set(item) if "revision" not in item else _of_controller(item) for item in of_it]
    return sorted((revision for revision in read if revision.number), key=lambda revision: revision.number)


def _of_replica_set(item: Json) -> Revision:
    annotations = item["metadata"].get("annotations") or {}
    return _revision(item, int(annotations.get(NUMBER, 0)), item["spec"]["template"])


def _of_controller(item: Json) -> Revision:
    return _revision(item, int(item["revision"]), item["data"]["spec"]["template"])


def _revision(item: Json, number: int, template: Json) -> Revision:
    metadata = item["metadata"]
    fields = {path: value for path, value in leaves(template).items() if path[-1] not in {*OF_CONTROLLERS, "$patch"}}
    cause = str((metadata.get("annotations") or {}).get(CAUSE, ""))
    return Revision(number, utc(metadata["creationTimestamp"]), fields, cause)
