"""Restarts a Deployment, StatefulSet or DaemonSet pod by pod as `kubectl rollout restart` does, and waits for it.

All pods are replaced by a new revision of the same template, which carries the time of the restart. Why pods do not
start is in the log while it happens, and in the error. undo takes that time out of the template again, which gives
the remembered revision, as `kubectl rollout undo` does, and waits for that rollout too; so old pods that still
run are kept. undo without an apply changes nothing.

Uses an Airflow Connection of type Kubernetes: `in_cluster`, `kube_config_path` or `kube_config`, with
`cluster_context`, `namespace` and `disable_verify_ssl`; or else `host` and `password`, as API server and bearer token.
"""

from datetime import UTC, datetime
from typing import ClassVar, Literal

from changewindow.documents.types import ConnectionName
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context
from changewindow.systems.kubernetes.cluster import Cluster
from changewindow.systems.kubernetes.resource import Resource
from changewindow.systems.kubernetes.rollout import observed
from changewindow.systems.kubernetes.workload import (
    Namespace,
    Workload,
    memory_of,
    resource_of,
    restart_of,
    roll_out,
    rollout_obstacles,
)
from changewindow.systems.place import Sort

EXAMPLE = {
    "name": "Restart the cart",
    "kind": "kubernetes_restart",
    "connection": "example_cluster",
    "namespace": "shop",
    "workload": "deployment/cart",
}


class Step(StepBase):
    """A workload to restart."""

    kind: Literal["kubernetes_restart"] = "kubernetes_restart"
    why_not_before_approval: ClassVar[str] = ""
    acts_on: ClassVar[Sort] = "cluster"
    connection: ConnectionName
    """The Airflow Connection of the cluster."""
    namespace: Namespace = ""
    """The namespace; without it, the one of the connection."""
    workload: Workload
    """What is restarted: `deployment/…`, `statefulset/…` or `daemonset/…`."""

    def does(self) -> str:
        """Describe the restart."""
        return f"restart {self.workload} at {self.connection} pod by pod"

    def undoes(self) -> str:
        """Describe the undo."""
        return f"roll {self.workload} at {self.connection} back to the revision of before"

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return what prevents the rollout or its undo."""
        return rollout_obstacles(*self._target(context))

    def remember(self, context: Context) -> Memory:
        """Return when it was last restarted, the time that marks this restart, and the revision."""
        cluster, resource = self._target(context)
        state = observed(cluster, resource)
        return memory_of(cluster, resource, state, [restart_of(state, datetime.now(UTC))])

    def apply(self, context: Context, remembered: Memory) -> None:
        """Restart, and wait."""
        cluster, resource = self._target(context)
        roll_out(cluster, {resource: remembered}, "apply", within=self.timeout)

    def undo(self, context: Context, remembered: Memory) -> None:
        """Go back to the previous revision, and wait."""
        cluster, resource = self._target(context)
        context.log(f"back to revision {remembered['revision']}")
        roll_out(cluster, {resource: remembered}, "undo", within=self.timeout)

    def restored(self, remembered: Memory) -> str:
        """Return the previous revision."""
        return f"revision {remembered['revision']}"

    def _target(self, context: Context) -> tuple[Cluster, Resource]:
        cluster = Cluster(context, self.connection)
        return cluster, resource_of(cluster, self.namespace, self.workload)
