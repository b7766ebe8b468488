"""Applies the manifests of the ticket by server-side apply, as `kubectl apply --server-side` does, and waits.

The field manager is `changewindow`: fields that others manage are left to them, and a manifest that wants another value
is refused at the gate, with the name of who manages the field, unless `force` is set. Deployments, StatefulSets and
DaemonSets are waited for as `kubectl rollout status` does. A dry run on the server tells beforehand which fields will
change; undo puts exactly these back, deletes the objects that did not exist, the last first, and waits for the same
workloads. What others change meanwhile in other fields stays; where they changed the same field, undo does the rest,
then refuses and names it. undo of a Namespace, a PersistentVolumeClaim or a CustomResourceDefinition that this step
created deletes what is inside as well. The previous values are remembered. Secrets are refused, and at the gate what
could not be put back: making a ConfigMap immutable, or a PersistentVolumeClaim larger.

Uses an Airflow Connection of type Kubernetes: `in_cluster`, `kube_config_path` or `kube_config`, with
`cluster_context`, `namespace` and `disable_verify_ssl`; or else `host` and `password`, as API server and bearer token.
"""

from typing import Any, ClassVar, Literal

from pydantic import Field as Setting

from changewindow.documents.types import ConnectionName
from changewindow.errors import StepFailed
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context
from changewindow.systems.kubernetes.cluster import APPLY, Cluster, Refused
from changewindow.systems.kubernetes.fields import Field, differences, pending, steady, value, values_before
from changewindow.systems.kubernetes.manifest import Manifest, named, resource_of
from changewindow.systems.kubernetes.resource import WORKLOADS, Json, Resource, core
from changewindow.systems.kubernetes.rollout import Rollout, left, observed, wait
from changewindow.systems.kubernetes.workload import Namespace, absence, as_stored, autoscalers_of, fields_of, write
from changewindow.systems.place import Sort

EXAMPLE = {
    "name": "Settings and disruption budget of the cart",
    "kind": "kubernetes_apply",
    "connection": "example_cluster",
    "namespace": "shop",
    "manifests": [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "cart-settings"},
            "data": {"MAX_IDLE": "5"},
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "cart"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "cart"}}},
        },
    ],
}
A_SECOND = 1.1
CREATED_BY = "changewindow/created-by"
ONE_WAY = {
    ("configmaps", ("immutable",)),
    ("persistentvolumeclaims", ("spec", "resources", "requests", "storage")),
}
"""Fields of which the API server keeps the new value, whoever wants the old one back."""


class Step(StepBase):
    """Manifests to apply, in their order."""

    kind: Literal["kubernetes_apply"] = "kubernetes_apply"
    is_configuration: ClassVar[bool] = True
    why_not_before_approval: ClassVar[str] = "it would hand its manifests to the API server and its webhooks"
    acts_on: ClassVar[Sort] = "cluster"
    connection: ConnectionName
    """The Airflow Connection of the cluster."""
    namespace: Namespace = ""
    """The namespace of manifests that name none; without it, the one of the connection."""
    manifests: tuple[Manifest, ...] = Setting(min_length=1)
    """The objects as YAML; each with its name."""
    force: bool = False
    """Whether fields that others manage (kubectl, Helm, a controller) are taken over from them."""

    def does(self) -> str:
        """Describe the objects."""
        forced = ", taking fields over" if self.force else ""
        return f"apply {', '.join(map(named, self.manifests))} at {self.connection}{forced}"

    def undoes(self) -> str:
        """Describe the undo."""
        return f"put back what that changed at {self.connection}; delete what did not exist"

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return what the server would refuse, by a dry run on the server, and which autoscalers own the replicas."""
        cluster = Cluster(context, self.connection)
        spaces = [manifest["metadata"]["name"] for manifest in self.manifests if manifest["kind"] == "Namespace"]
        made = {name for name in spaces if cluster.find(core("namespaces", name=name)) is None}
        missing = []
        for manifest in self.manifests:
            resource = resource_of(cluster, manifest, self.namespace)
            missing += self._missing(cluster, resource, manifest, is_inside_new=resource.namespace in made)
        return missing

    def remember(self, context: Context) -> Memory:
        """Return for each object whether it existed, and the fields that will change."""
        cluster = Cluster(context, self.connection)
        return {"objects": [self._remembered(cluster, manifest) for manifest in self.manifests]}

    def restored(self, remembered: Memory) -> str:
        """Return the previous values, object by object."""
        return "; ".join(
            f"{Resource(**memory['resource'])}: {values_before(fields_of(memory)) if memory['existed'] else 'none'}"
            for memory in remembered["objects"]
        )

    def apply(self, context: Context, remembered: Memory) -> None:
        """Apply one object after the other, then wait for the workloads among them."""
        cluster, rollouts = Cluster(context, self.connection), []
        for manifest, memory in zip(self.manifests, remembered["objects"], strict=True):
            resource = Resource(**memory["resource"])
            before = cluster.find(resource)
            if (before is not None) != memory["existed"]:
                happened = "deleted" if memory["existed"] else "created"
                raise StepFailed(f"{resource} was {happened} by somebody else since the change began. Ask them.")
            if before:
                pending(resource, before, fields_of(memory), "apply")
            body = manifest if before else _signed(manifest, context.mark)
            applied = cluster.patch(resource, body, APPLY, **self._options())
            if applied and _is_waited_for(applied):
                rollouts.append(Rollout(resource, before, fields_of(memory)))
        if rollouts:
            wait(cluster, rollouts, self.timeout)

    def undo(self, context: Context, remembered: Memory) -> None:
        """Restore as much as possible, the last object first, and wait; then report what could not be restored."""
        cluster, rollouts, failed = Cluster(context, self.connection), [], []
        for memory in reversed(remembered["objects"]):
            resource = Resource(**memory["resource"])
            before = cluster.find(resource)
            try:
                self._put_back(cluster, resource, memory, before)
            except StepFailed as error:
                failed.append(str(error))
                continue
            if memory["is_waited_for"]:
                rollouts.append(Rollout(resource, before, fields_of(memory), "undo"))
        if rollouts:
            wait(cluster, rollouts, self.timeout)
        if failed:
            raise StepFailed(" ".join(failed))

    def _put_back(self, cluster: Cluster, resource: Resource, memory: Json, present: Json | None) -> None:
        if memory["existed"]:
            write(cluster, resource, fields_of(memory), "undo")
        elif present is None:
            cluster.context.log(f"nothing to undo: there is no {resource}")
        elif value(present, ("metadata", "annotations", CREATED_BY)) != cluster.context.mark:
            cluster.context.log(f"nothing to undo: {resource} was created by somebody else, not by this change")
        else:
            cluster.delete(resource, present)
            self._wait_until_gone(cluster, resource, present)

    def _wait_until_gone(self, cluster: Cluster, resource: Resource, deleted: Json) -> None:
        keepers: list[str] = []

        def is_gone() -> bool:
            present = cluster.find(resource)
            is_same = present is not None and present["metadata"]["uid"] == deleted["metadata"]["uid"]
            keepers[:] = _keepers(present) if present and is_same else []
            return not is_same

        try:
            gone = f"{resource} is gone"
            cluster.context.until(gone, lambda: cluster.glance(is_gone), within=self.timeout, every=0.5)
        except StepFailed as error:
            if not keepers:
                raise
            raise StepFailed(
                f"{error} What keeps it: {'; '.join(keepers)}. Find out why nobody removes that."
            ) from error

    def _options(self) -> dict[str, Any]:
        return {"force": "true" if self.force else "false", "fieldValidation": "Strict"}

    def _missing(self, cluster: Cluster, resource: Resource, manifest: Json, *, is_inside_new: bool) -> list[str]:
        verbs = [("get", resource), ("patch", resource)]
        before = None if is_inside_new else cluster.find(resource)
        if before is None:
            verbs += [("create", resource), ("delete", resource)]
        if resource.plural == "statefulsets":
            # those of a failed revision block undo
            verbs += [(verb, core("pods", resource.namespace)) for verb in ("list", "delete")]
        missing = cluster.missing_rights(*verbs) or (absence(resource, before) if before else [])
        if missing or is_inside_new:
            return missing
        try:
            after = cluster.try_patch(resource, manifest, APPLY, **self._options())
        except Refused as error:
            advice = " Leave the field out, or set `force: true` to take it over." if error.status == 409 else ""
            return [f"{error}{advice}"]
        missing = [
            f"{field} of {resource} can be set, but not restored: the API server forbids that. Leave it out, or "
            "make a new object instead."
            for field in (differences(before, after) if before else [])
            if (resource.plural, field.path) in ONE_WAY
        ]
        scales = before is not None and resource.group == "apps" and value(manifest, ("spec", "replicas")) is not None
        return missing + [
            f"The manifest of {named(manifest)} sets replicas, which the HorizontalPodAutoscaler {name} owns. Leave "
            "replicas out."
            for name in (autoscalers_of(cluster, resource) if scales else [])
        ]

    def _remembered(self, cluster: Cluster, manifest: Json) -> Json:
        resource = resource_of(cluster, manifest, self.namespace)
        before = cluster.find(resource)
        known = {"resource": vars(resource), "existed": before is not None, "fields": [], "is_waited_for": False}
        if before is None:
            return known
        if _is_waited_for(before):
            before = observed(cluster, resource)
        fields = as_stored(cluster, resource, before, self._changed(cluster, resource, before, manifest), "undo")
        dumped = [field.model_dump(mode="json") for field in fields]
        return {**known, "fields": dumped, "is_waited_for": _is_waited_for(before) and not left(before)}

    def _changed(self, cluster: Cluster, resource: Resource, before: Json, manifest: Json) -> list[Field]:
        """Return the fields that will change, but for those into which a webhook writes something else each time."""

        def write() -> Json:
            return cluster.try_patch(resource, manifest, APPLY, **self._options())

        def again() -> Json:
            cluster.context.stopped.wait(A_SECOND)  # after which a time that is written is another one
            return write()

        return steady(differences(before, write()), manifest, again)


def _is_waited_for(obj: Json) -> bool:
    """Return whether an object is a workload that rolls out by itself."""
    spec = obj.get("spec") or {}
    by_hand = spec.get("paused") or (spec.get("updateStrategy") or {}).get("type") == "OnDelete"
    return obj["kind"] in WORKLOADS and obj["apiVersion"].startswith("apps/") and not by_hand


def _signed(manifest: Json, mark: str) -> Json:
    """Return a manifest with the mark by which undo knows that this step created the object."""
    metadata = manifest["metadata"]
    return {**manifest, "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), CREATED_BY: mark}}}


def _keepers(obj: Json) -> list[str]:
    """Return what keeps an object from being deleted: its finalizers, or what is left in a namespace."""
    finalizers = [f"finalizer {name}" for name in obj["metadata"].get("finalizers") or []]
    conditions = (obj.get("status") or {}).get("conditions") or []
    inside = [str(condition.get("message")) for condition in conditions if condition["status"] == "True"]
    return [*finalizers, *(inside if obj["kind"] == "Namespace" else [])]
