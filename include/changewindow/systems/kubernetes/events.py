"""Reads what a cluster says of its pods only in events: why they are not created, or do not start."""

from collections.abc import Sequence

from changewindow.systems.kubernetes.cluster import Cluster, Refused
from changewindow.systems.kubernetes.resource import Json, core

ASKED = 3
"""Of how many pods events are read at a time; the pods of a workload tend to fail for the same reason."""


def failed_creates(cluster: Cluster, creator: Json) -> list[Json]:
    """Return the newest event of pods that a StatefulSet, DaemonSet or Job could not create, if there is one."""
    return _newest(cluster, creator, "reason=FailedCreate")


def warnings(cluster: Cluster, pods: Sequence[Json]) -> list[Json]:
    """Return the newest warning about each of the first pods that have not started, such as of a missing volume."""
    staying = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    pending = [pod for pod in staying if (pod.get("status") or {}).get("phase") == "Pending"]
    return [event for pod in pending[:ASKED] for event in _newest(cluster, pod, "type=Warning")]


def _newest(cluster: Cluster, about: Json, which: str) -> list[Json]:
    selector = f"involvedObject.uid={about['metadata']['uid']},{which}"
    try:
        events = cluster.items(core("events", about["metadata"]["namespace"]), fieldSelector=selector)
    except Refused as error:
        # the right to read events is useful, but not needed: without it, the diagnosis says less
        if error.status != 403:
            raise
        return []
    return sorted(events, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")[-1:]
