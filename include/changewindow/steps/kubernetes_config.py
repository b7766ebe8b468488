"""Sets or removes keys of a ConfigMap, and restarts the workloads that use it if the ticket says so.

Pods read a ConfigMap when they start (environment) or notice its change late (volumes): with `restart: users`, every
Deployment, StatefulSet and DaemonSet whose pod template names the ConfigMap is restarted pod by pod and waited for, or
with a list only those. undo restores the previous values, removes keys that were not there, takes the restarts back
as `kubectl rollout undo` does, and waits; keys that the ticket does not name stay as others left them, and where
somebody else changed a key of the ticket meanwhile, apply and undo refuse. The previous values are remembered: secrets
have no place in a ConfigMap.

Uses an Airflow Connection of type Kubernetes: `in_cluster`, `kube_config_path` or `kube_config`, with
`cluster_context`, `namespace` and `disable_verify_ssl`; or else `host` and `password`, as API server and bearer token.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field as Setting
from pydantic import model_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.types import ConnectionName
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context
from changewindow.systems.kubernetes.cluster import Cluster
from changewindow.systems.kubernetes.fields import Direction, Field, value, values_before
from changewindow.systems.kubernetes.resource import WORKLOADS, Json, Resource, core, workload
from changewindow.systems.kubernetes.rollout import observed
from changewindow.systems.kubernetes.workload import (
    Name,
    Namespace,
    Workload,
    absence,
    as_stored,
    fields_of,
    memory_of,
    resource_of,
    restart_of,
    roll_out,
    rollout_obstacles,
    write,
)
from changewindow.systems.place import Sort

EXAMPLE = {
    "name": "Smaller pool of connections",
    "kind": "kubernetes_config",
    "connection": "example_cluster",
    "namespace": "shop",
    "config_map": "cart-settings",
    "set": {"MAX_IDLE": "5"},
    "restart": "users",
}
Key = Annotated[str, Setting(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]


class Step(StepBase):
    """Keys to set or remove."""

    kind: Literal["kubernetes_config"] = "kubernetes_config"
    is_configuration: ClassVar[bool] = True
    why_not_before_approval: ClassVar[str] = ""
    acts_on: ClassVar[Sort] = "cluster"

    connection: ConnectionName
    """The Airflow Connection of the cluster."""
    namespace: Namespace = ""
    """The namespace; without it, the one of the connection."""
    config_map: Name
    """The ConfigMap."""
    set_keys: dict[Key, str] = Setting(default={}, alias="set")
    """Values by key, as text; keys that are not there are added."""
    remove: tuple[Key, ...] = ()
    """Keys to remove."""
    restart: Literal["nothing", "users"] | tuple[Workload, ...] = "nothing"
    """What is restarted: `nothing`, all `users` of the ConfigMap, or a list such as `[deployment/cart]`."""

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        both = sorted({*self.set_keys} & {*self.remove})
        if both:
            raise refusal(f"{', '.join(both)} can't be set and removed at once", "Write it in one of the two.")
        if not self.set_keys and not self.remove:
            raise refusal("nothing is set and nothing removed", "Write `set:` or `remove:`.")
        return self

    def does(self) -> str:
        """Describe the keys and the restarts."""
        sets = [f"{key}={text}" if len(text) < 40 and "\n" not in text else key for key, text in self.set_keys.items()]
        removes = [f"without {key}" for key in self.remove]
        named = self.restart if isinstance(self.restart, str) else ", ".join(self.restart)
        restarts = "" if named == "nothing" else f", restart {named}"
        return f"config map {self.config_map} at {self.connection}: {', '.join([*sets, *removes])}{restarts}"

    def undoes(self) -> str:
        """Describe the undo."""
        restarts = "" if self.restart == "nothing" else ", roll its workloads back"
        return f"put the values of before back into {self.config_map} at {self.connection}{restarts}"

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return what prevents writing the keys, or restarting the workloads."""
        cluster, resource = self._target(context)
        missing = cluster.missing_rights(("get", resource), ("patch", resource))
        config_map = None if missing else cluster.find(resource)
        if not missing:
            missing = absence(resource, config_map)
        if config_map and config_map.get("immutable"):
            missing = [f"{resource} is immutable. Make a new one and let the workloads use that."]
        missing += [
            f"{resource} holds {key} as binary data, which this kind cannot write. Use kubernetes_apply."
            for key in (*self.set_keys, *self.remove)
            if key in ((config_map or {}).get("binaryData") or {})
        ]
        return missing + [
            obstacle for restarted in self._restarted(cluster) for obstacle in rollout_obstacles(cluster, restarted)
        ]

    def remember(self, context: Context) -> Memory:
        """Return the present values, and what undo needs to know of each workload to restart."""
        cluster, resource = self._target(context)
        config_map, at = cluster.get(resource), datetime.now(UTC)
        data = config_map.get("data") or {}
        wanted: dict[str, str | None] = {**self.set_keys, **dict.fromkeys(self.remove)}
        fields = [Field(path=("data", key), before=data.get(key), after=text) for key, text in wanted.items()]
        fields = as_stored(cluster, resource, config_map, fields)
        restarts = []
        for restarted in self._restarted(cluster):
            state = observed(cluster, restarted)
            memory = memory_of(cluster, restarted, state, [restart_of(state, at)])
            restarts.append({"kind": state["kind"], "name": restarted.name, "memory": memory})
        return {"fields": [field.model_dump(mode="json") for field in fields], "restarts": restarts}

    def restored(self, remembered: Memory) -> str:
        """Return the previous values of the keys."""
        return values_before(fields_of(remembered))

    def apply(self, context: Context, remembered: Memory) -> None:
        """Write the keys, restart, and wait."""
        self._put(context, remembered, "apply")

    def undo(self, context: Context, remembered: Memory) -> None:
        """Restore the keys first, so that what starts then reads them; undo the restarts, and wait."""
        self._put(context, remembered, "undo")

    def _put(self, context: Context, remembered: Memory, direction: Direction) -> None:
        cluster, resource = self._target(context)
        write(cluster, resource, fields_of(remembered), direction)
        restarts = {
            workload(restart["kind"], resource.namespace, restart["name"]): restart["memory"]
            for restart in remembered["restarts"]
        }
        roll_out(cluster, restarts, direction, within=self.timeout)

    def _target(self, context: Context) -> tuple[Cluster, Resource]:
        cluster = Cluster(context, self.connection)
        return cluster, core("configmaps", cluster.namespace(self.namespace), self.config_map)

    def _restarted(self, cluster: Cluster) -> list[Resource]:
        if not isinstance(self.restart, str):
            return [resource_of(cluster, self.namespace, reference) for reference in self.restart]
        if self.restart == "nothing":
            return []
        namespace = cluster.namespace(self.namespace)
        return [
            resource.of(name=using["metadata"]["name"])
            for resource in (workload(kind, namespace, "") for kind in WORKLOADS)
            for using in cluster.items(resource)
            if self.config_map in set(_config_maps(value(using, ("spec", "template", "spec"))))
        ]


def _config_maps(pod: Json) -> Iterator[Any]:
    """Yield the names of the config maps that a pod reads, by volume or environment."""
    for volume in pod.get("volumes") or []:
        yield value(volume, ("configMap", "name"))
        for source in value(volume, ("projected", "sources")) or []:
            yield value(source, ("configMap", "name"))
    for container in [*pod["containers"], *(pod.get("initContainers") or [])]:
        for source in container.get("envFrom") or []:
            yield value(source, ("configMapRef", "name"))
        for variable in container.get("env") or []:
            yield value(variable, ("valueFrom", "configMapKeyRef", "name"))
