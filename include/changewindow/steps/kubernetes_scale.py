"""Scales a Deployment or StatefulSet to a number of pods, and waits until exactly so many are available.

Why pods do not start (no room, a quota, a crash) is in the log while it happens, and in the error. undo scales
back to the previous number and waits for that too, unless somebody else has scaled meanwhile: then it refuses and
names the numbers. undo without an apply changes nothing. A HorizontalPodAutoscaler that owns the number would set its
own at once, so the gate refuses; only scaling to 0, which switches an autoscaler off until undo, is let through.

Uses an Airflow Connection of type Kubernetes: `in_cluster`, `kube_config_path` or `kube_config`, with
`cluster_context`, `namespace` and `disable_verify_ssl`; or else `host` and `password`, as API server and bearer token.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field as Setting

from changewindow.documents.types import ConnectionName
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context
from changewindow.systems.kubernetes.cluster import Cluster
from changewindow.systems.kubernetes.fields import Direction, Field, value
from changewindow.systems.kubernetes.resource import Resource
from changewindow.systems.kubernetes.rollout import Rollout, left_to_scale, observed, wait
from changewindow.systems.kubernetes.workload import (
    NAME,
    Namespace,
    absence,
    as_stored,
    autoscalers_of,
    resource_of,
    write,
)
from changewindow.systems.place import Sort

EXAMPLE = {
    "name": "More carts for the sale",
    "kind": "kubernetes_scale",
    "connection": "example_cluster",
    "namespace": "shop",
    "workload": "deployment/cart",
    "replicas": 5,
}
REPLICAS = ("spec", "replicas")


class Step(StepBase):
    """A number of pods to run."""

    kind: Literal["kubernetes_scale"] = "kubernetes_scale"
    why_not_before_approval: ClassVar[str] = ""
    acts_on: ClassVar[Sort] = "cluster"
    connection: ConnectionName
    """The Airflow Connection of the cluster."""
    namespace: Namespace = ""
    """The namespace; without it, the one of the connection."""
    workload: Annotated[str, Setting(pattern=f"^(deployment|statefulset)/{NAME}$", max_length=253)]
    """What is scaled: `deployment/…` or `statefulset/…`."""
    replicas: int = Setting(ge=0, le=10000)
    """How many pods are to run."""

    def does(self) -> str:
        """Describe the number."""
        return f"scale {self.workload} at {self.connection} to {self.replicas}"

    def undoes(self) -> str:
        """Describe the undo."""
        return f"scale {self.workload} at {self.connection} back to the number of before"

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return which rights are missing, whether the workload is missing, and which autoscaler owns its scale."""
        cluster, resource = self._target(context)
        scale = resource.of(subresource="scale")
        missing = cluster.missing_rights(("get", resource), ("patch", scale))
        if not missing:
            missing = absence(resource, cluster.find(resource))
        return missing or [
            f"The HorizontalPodAutoscaler {name} owns the scale of {resource} and would set its own number at once. "
            "Change its minReplicas and maxReplicas instead, for instance with kubernetes_apply."
            for name in (autoscalers_of(cluster, resource) if self.replicas else [])
        ]

    def remember(self, context: Context) -> Memory:
        """Return the present number."""
        cluster, resource = self._target(context)
        state = observed(cluster, resource)
        field = Field(path=REPLICAS, before=value(state, REPLICAS), after=self.replicas)
        field = as_stored(cluster, resource.of(subresource="scale"), state, [field])[0]
        return {"field": field.model_dump(mode="json"), "was_scaled": not left_to_scale(state)}

    def apply(self, context: Context, remembered: Memory) -> None:
        """Scale, and wait."""
        self._scale(context, remembered, "apply")

    def undo(self, context: Context, remembered: Memory) -> None:
        """Scale back, and wait if all pods were there before."""
        self._scale(context, remembered, "undo")

    def restored(self, remembered: Memory) -> str:
        """Return how many replicas there were."""
        return f"{Field.model_validate(remembered['field']).before} replicas"

    def _scale(self, context: Context, remembered: Memory, direction: Direction) -> None:
        cluster, resource = self._target(context)
        before, fields = cluster.find(resource), [Field.model_validate(remembered["field"])]
        write(cluster, resource, fields, direction, subresource="scale")
        if direction == "apply" or remembered["was_scaled"]:
            wait(cluster, [Rollout(resource, before, fields, direction, left=left_to_scale)], self.timeout)

    def _target(self, context: Context) -> tuple[Cluster, Resource]:
        cluster = Cluster(context, self.connection)
        return cluster, resource_of(cluster, self.namespace, self.workload)
