"""Sets the image of a container of a Deployment, StatefulSet or DaemonSet, and waits until it is rolled out.

The wait ends as `kubectl rollout status` does; why pods do not start (an image that cannot be pulled, a crash, a quota)
is in the log while it happens, and in the error. undo restores the previous image, which gives the remembered
pod template and so the remembered revision, as `kubectl rollout undo` does, and waits for that rollout too; for a
StatefulSet it deletes the pods of the failed revision that would block that. Nothing else of the object is
touched: what others changed meanwhile stays, and if they changed this very image, apply and undo refuse. undo without
an apply changes nothing. If somebody else, such as a GitOps controller, changes the image during the rollout, the
step fails at once. The server is asked at the gate, by a dry run, whether a policy forbids the
image; with `registry`, also the registry, whether it and the one to go back to can be pulled.

Uses an Airflow Connection of type Kubernetes: `in_cluster`, `kube_config_path` or `kube_config`, with
`cluster_context`, `namespace` and `disable_verify_ssl`; or else `host` and `password`, as API server and bearer token.
"""

from typing import ClassVar, Literal

from pydantic import Field as Setting

from changewindow.documents.text import hint
from changewindow.documents.types import ConnectionName
from changewindow.errors import StepFailed
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context
from changewindow.systems.kubernetes.cluster import Cluster
from changewindow.systems.kubernetes.fields import Field, value
from changewindow.systems.kubernetes.image_registry import images_not_pullable
from changewindow.systems.kubernetes.resource import Json, Resource
from changewindow.systems.kubernetes.rollout import observed
from changewindow.systems.kubernetes.workload import (
    Namespace,
    Workload,
    fields_of,
    memory_of,
    refusals,
    resource_of,
    roll_out,
    rollout_obstacles,
)
from changewindow.systems.place import Sort

EXAMPLE = {
    "name": "Deploy cart 2.15.0",
    "kind": "kubernetes_image",
    "connection": "example_cluster",
    "namespace": "shop",
    "workload": "deployment/cart",
    "container": "cart",
    "image": "registry.example.org/cart:2.15.0",
}
POD = ("spec", "template", "spec")


class Step(StepBase):
    """An image to set."""

    kind: Literal["kubernetes_image"] = "kubernetes_image"
    why_not_before_approval: ClassVar[str] = ""
    acts_on: ClassVar[Sort] = "cluster"
    connection: ConnectionName
    """The Airflow Connection of the cluster."""
    namespace: Namespace = ""
    """The namespace; without it, the one of the connection."""
    workload: Workload
    """What runs the container: `deployment/…`, `statefulset/…` or `daemonset/…`."""
    container: str
    """The name of the container, or of an init container."""
    image: str = Setting(pattern=r"^[^\s]+$")
    """The image to run."""
    registry: ConnectionName = ""
    """The Airflow Connection (type HTTP) of the images' registry; it is asked whether both images can be pulled."""

    def does(self) -> str:
        """Describe the image."""
        return f"set image {self.image} of container {self.container} of {self.workload} at {self.connection}, roll out"

    def undoes(self) -> str:
        """Describe the undo."""
        return f"roll {self.workload} at {self.connection} back to the image and revision of before"

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return what prevents the rollout or its undo, and which of the two images cannot be pulled."""
        cluster, resource = self._target(context)
        missing = rollout_obstacles(cluster, resource)
        state = cluster.find(resource) if not missing else None
        if state is None:
            return missing
        where = self._list_with_container(state)
        if not where:
            return [self._no_container(resource, state)]
        image = self._image(state, where)
        missing = refusals(cluster, resource, state, [image])
        if self.registry:
            missing += images_not_pullable(context.connection(self.registry), self.image, image.before)
        return missing

    def remember(self, context: Context) -> Memory:
        """Return the present image, and the revision."""
        cluster, resource = self._target(context)
        state = observed(cluster, resource)
        where = self._list_with_container(state)
        if not where:
            raise StepFailed(self._no_container(resource, state))
        return memory_of(cluster, resource, state, [self._image(state, where)])

    def apply(self, context: Context, remembered: Memory) -> None:
        """Set the image, and wait."""
        cluster, resource = self._target(context)
        roll_out(cluster, {resource: remembered}, "apply", within=self.timeout)

    def undo(self, context: Context, remembered: Memory) -> None:
        """Restore the previous image, and wait."""
        cluster, resource = self._target(context)
        context.log(f"back to {fields_of(remembered)[0].before}, which was revision {remembered['revision']}")
        roll_out(cluster, {resource: remembered}, "undo", within=self.timeout)

    def restored(self, remembered: Memory) -> str:
        """Return the previous image."""
        return f"{fields_of(remembered)[0].before}, revision {remembered['revision']}"

    def _target(self, context: Context) -> tuple[Cluster, Resource]:
        cluster = Cluster(context, self.connection)
        return cluster, resource_of(cluster, self.namespace, self.workload)

    def _image(self, state: Json, where: str) -> Field:
        path = (*POD, where, self.container, "image")
        return Field(path=path, before=value(state, path), after=self.image)

    def _list_with_container(self, state: Json) -> str:
        lists = ("containers", "initContainers")
        return next((name for name in lists if value(state, (*POD, name, self.container)) is not None), "")

    def _no_container(self, resource: Resource, state: Json) -> str:
        pod = value(state, POD)
        names = [container["name"] for container in [*pod.get("containers", []), *(pod.get("initContainers") or [])]]
        return f"{resource} has no container '{self.container}'. {hint(self.container, names)}"
