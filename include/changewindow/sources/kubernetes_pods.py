"""Reads how the pods of a Deployment, StatefulSet or DaemonSet are: ready, missing, restarted, or waiting for what.

`read` says which: `ready` is the part of the wanted pods that are ready (1 is all of them), `missing` how many are not,
`restarts` how often containers were restarted since the change (before a change: in the life of the pods), and
`waiting` for which reasons containers wait other than that they start, like `CrashLoopBackOff, ImagePullBackOff`, or
`nothing`. Restarts are counted from the first reading on, together with those in pods that are younger than the change,
and the last one of each other pod if it came after the change; pods that went away keep theirs. A status from before
the newest spec is `stale`.

Uses an Airflow Connection of type Kubernetes: `in_cluster`, `kube_config_path` or `kube_config`, with
`cluster_context`, `namespace` and `disable_verify_ssl`; or else `host` and `password`, as API server and bearer token.
"""

from datetime import datetime
from typing import ClassVar, Literal

from changewindow.documents.types import ConnectionName
from changewindow.sources.base import SourceBase
from changewindow.systems.kubernetes.async_cluster import AskedCluster, cluster
from changewindow.systems.kubernetes.diagnosis import statuses, waiting_reasons
from changewindow.systems.kubernetes.resource import Json
from changewindow.systems.kubernetes.rollout import is_observed
from changewindow.systems.kubernetes.workload import Namespace, Workload, named
from changewindow.systems.measurement import Answer, SourceContext, SourceError

EXAMPLE = {
    "kind": "kubernetes_pods",
    "connection": "example_cluster",
    "namespace": "shop",
    "workload": "deployment/cart",
    "read": "missing",
}


class Source(SourceBase):
    """A workload whose pods are looked at."""

    kind: Literal["kubernetes_pods"] = "kubernetes_pods"
    is_about_the_asker: ClassVar[bool] = True
    why_not_before_approval: ClassVar[str] = ""

    connection: ConnectionName
    """The Airflow Connection of the cluster."""
    namespace: Namespace = ""
    """The namespace; without it, the one of the connection."""
    workload: Workload
    """Whose pods: `deployment/…`, `statefulset/…` or `daemonset/…`."""
    read: Literal["ready", "missing", "restarts", "waiting"] = "ready"
    """What is read: `ready`, `missing`, `restarts` or `waiting`."""

    def description(self) -> str:
        """Return what is read of which pods."""
        return f"{self.read} of the pods of {self.workload} at {self.connection}"

    async def ask(self, context: SourceContext) -> Answer:
        """Look at the workload, and at its pods where they are asked for."""
        at = context.now()
        async with cluster(context, self.connection, self.namespace) as here:
            workload = await here.get(named(here.namespace, self.workload))
            return Answer(await self._value(here, workload, context), at, self.description())

    async def _value(self, here: AskedCluster, workload: Json, context: SourceContext) -> float | str:
        if self.read in {"ready", "missing"}:
            ready, wanted = _numbers(workload)
            if self.read == "missing":
                return float(max(0, wanted - ready))
            if not wanted:
                raise SourceError("no_data", f"{self.workload} wants no pods, so no part of them can be ready")
            return min(1.0, ready / wanted)
        pods = await here.pods(workload)
        if self.read == "waiting":
            return ", ".join(sorted({reason for pod in pods for reason in waiting_reasons(pod)})) or "nothing"
        return float(_restarts(pods, context))


def _numbers(workload: Json) -> tuple[int, int]:
    """Return how many pods are ready and how many are wanted, of a status that is about the present spec."""
    metadata, spec, status = workload["metadata"], workload["spec"], workload.get("status") or {}
    if not is_observed(workload):
        raise SourceError("stale", f"{metadata['name']}: its controller has not seen the newest spec yet")
    if workload["kind"] == "DaemonSet":
        return status.get("numberReady", 0), status["desiredNumberScheduled"]
    return status.get("readyReplicas", 0), spec["replicas"]


def _restarts(pods: list[Json], context: SourceContext) -> int:
    """Return the restarts since the change; what was counted before is kept from reading to reading."""
    since = context.since
    if since is None:
        return sum(status["restartCount"] for pod in pods for status in statuses(pod))
    # the API writes whole seconds: what happened in that second counts, for it may have been after the change
    since = since.replace(microsecond=0)
    kept: dict[str, list[int]] = context.kept.setdefault("restarts", {})
    for pod in pods:
        is_younger = datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) >= since
        for status in statuses(pod):
            count, name = status["restartCount"], f"{pod['metadata']['uid']}/{status['name']}"
            before = 0 if is_younger else count - _has_ended_after(status, since)
            kept[name] = [kept.get(name, [before])[0], count]
    return sum(last - first for first, last in kept.values())


def _has_ended_after(status: Json, since: datetime) -> int:
    """Return 1 if a container was restarted at least once after a moment, as far as its last end tells, else 0."""
    ended = ((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt")
    return 1 if ended and status["restartCount"] and datetime.fromisoformat(ended) >= since else 0
