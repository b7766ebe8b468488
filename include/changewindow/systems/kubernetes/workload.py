"""Changes single fields of a workload, takes them back, and finds beforehand what would hinder either."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field as Setting

from changewindow.documents.text import shown
from changewindow.errors import StepFailed
from changewindow.systems.kubernetes.cluster import Cluster
from changewindow.systems.kubernetes.diagnosis import owned, selector_of
from changewindow.systems.kubernetes.fields import Field, Way, patch, pending, value
from changewindow.systems.kubernetes.resource import WORKLOADS, Json, Resource, core, workload
from changewindow.systems.kubernetes.rollout import Rollout, is_observed, left, wait

KINDS = {"deployment": "Deployment", "statefulset": "StatefulSet", "daemonset": "DaemonSet"}
RESTARTED = ("spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt")
NAME = r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?"

Name = Annotated[str, Setting(pattern=f"^{NAME}$", max_length=253)]
"""The name of an object."""
Namespace = Annotated[str, Setting(pattern=f"^({NAME})?$", max_length=63)]
"""The name of a namespace, or an empty text for that of the connection."""
Workload = Annotated[str, Setting(pattern=f"^(deployment|statefulset|daemonset)/{NAME}$", max_length=253)]
"""A workload as kubectl names it: `deployment/cart`."""


def resource_of(cluster: Cluster, namespace: str, asked: str) -> Resource:
    """Return the workload that a ticket names, like `deployment/cart`."""
    return named(cluster.namespace(namespace), asked)


def named(namespace: str, asked: str) -> Resource:
    """Return the workload that is called like `deployment/cart`."""
    kind, _, name = asked.partition("/")
    return workload(KINDS[kind], namespace, name)


def write(cluster: Cluster, resource: Resource, fields: Sequence[Field], way: Way, *, subresource: str = "") -> None:
    """Put fields of an object forth or back, unless they are already; what is written may be a subresource of it.

    Raises:
        StepFailed: somebody else has changed one of them, or the object is gone.
    """

    def patch_of(found: Json) -> Json | None:
        todo = pending(resource, found, fields, way)
        if not todo:
            cluster.context.log(f"nothing to write: {resource} has these values already")
        return patch(found, todo, way) if todo else None

    if way == "back" and cluster.find(resource) is None:
        raise StepFailed(
            f"{resource} is gone: somebody deleted it since the change began. What it was cannot be brought back from "
            f"here; create it anew, with {', '.join(f'{field} = {shown(field.before)}' for field in fields)}."
        )
    cluster.revise(resource, patch_of, subresource)


def roll_out(cluster: Cluster, remembered: dict[Resource, Json], way: Way, *, within: timedelta) -> None:
    """Put what `memory_of` remembered into the pod templates of workloads, and wait until they are rolled out.

    On the way back, a workload that was not rolled out before the change is not waited for.

    Raises:
        StepFailed: somebody else has changed them, one is paused, or a rollout does not come about.
    """
    rollouts = []
    for resource, memory in remembered.items():
        before = cluster.find(resource)
        if way == "forth":
            require_not_paused(resource, before)
        write(cluster, resource, fields_of(memory), way)
        if way == "back":
            require_not_paused(resource, before)
        if way == "forth" or memory["was_rolled_out"]:
            rollouts.append(Rollout(resource, before, fields_of(memory), way))
        else:
            cluster.context.log(f"{resource} was not rolled out before the change either, and is not waited for")
    if rollouts:
        wait(cluster, rollouts, within)


def require_not_paused(resource: Resource, found: Json | None) -> None:
    """Make sure that what is written into a workload reaches its pods.

    Raises:
        StepFailed: it is paused.
    """
    if found and found["spec"].get("paused"):
        name, namespace = resource.name, resource.namespace
        raise StepFailed(
            f"{resource} is paused: its pods stay as they are, whatever is written into it. Let it go on with "
            f"`kubectl rollout resume deployment/{name} -n {namespace}`."
        )


def lacks_to_roll_out(cluster: Cluster, resource: Resource) -> list[str]:
    """Return what hinders a rollout of a workload, or the way back: rights, the object, its revision, its strategy."""
    needed = [("get", resource), ("patch", resource)]
    if resource.plural == "statefulsets":
        pods = core("pods", resource.namespace)
        needed += [("list", pods), ("delete", pods)]
    missing = cluster.missing_rights(*needed)
    found = None if missing else cluster.find(resource)
    if missing:
        return missing
    if found is None:
        return lost(resource, found)
    return [*lost(resource, found), *_hindrances(resource, found), *_unknown_revision(cluster, resource, found)]


def lost(resource: Resource, found: Json | None) -> list[str]:
    """Return why there is nothing to change: no such object, or one that goes."""
    if found is None:
        return [f"There is no {resource}. Correct the name or the namespace, or create it first."]
    since = found["metadata"].get("deletionTimestamp")
    return [f"{resource} is being deleted since {since}. Find out by whom."] if since else []


def refusals(cluster: Cluster, resource: Resource, found: Json, fields: Sequence[Field]) -> list[str]:
    """Return why the server would refuse to change fields, by a dry run of its own: a policy, say, that forbids it."""
    return cluster.refusals(lambda: cluster.try_patch(resource, patch(found, fields, "forth")))


def _hindrances(resource: Resource, found: Json) -> list[str]:
    says = []
    if found["spec"].get("paused"):
        says.append(f"{resource} is paused. Let it go on with `kubectl rollout resume deployment/{resource.name}`.")
    if (found["spec"].get("updateStrategy") or {}).get("type") == "OnDelete":
        says.append(
            f"The strategy of {resource} is OnDelete: its pods stay as they are until somebody removes them. "
            "Make it RollingUpdate."
        )
    part = value(found, ("spec", "updateStrategy", "rollingUpdate", "partition"))
    wanted = found["spec"].get("replicas", 1)
    if part and part >= wanted:
        says.append(f"The partition of {resource} is {part}: all of its {wanted} pods stay as they are. Lower it.")
    return says


def _unknown_revision(cluster: Cluster, resource: Resource, found: Json) -> list[str]:
    says = (
        f"{resource} has no revision to go back to: its controller has not seen its present pod template yet. Wait a "
        "moment; if that does not help, the kube-controller-manager is not working."
    )
    return [] if revision_of(cluster, resource, found) else [says]


def revision_of(cluster: Cluster, resource: Resource, found: Json) -> str:
    """Return the revision that a workload is at now, as `kubectl rollout history` counts; nothing if it has none."""
    if not is_observed(found):
        return ""
    if resource.plural == "deployments":
        annotations = found["metadata"].get("annotations") or {}
        return str(annotations.get("deployment.kubernetes.io/revision", ""))
    kept = cluster.items(resource.of(plural="controllerrevisions", name=""), labelSelector=selector_of(found))
    return str(max((one["revision"] for one in owned(kept, found)), default=""))


def memory_of(cluster: Cluster, resource: Resource, found: Json, fields: Sequence[Field]) -> Json:
    """Return what undo has to know of a workload, as JSON."""
    return {
        "fields": [field.model_dump(mode="json") for field in fields],
        "revision": revision_of(cluster, resource, found),
        "was_rolled_out": not left(found),
    }


def fields_of(remembered: Json) -> list[Field]:
    """Return the fields that `memory_of` remembered."""
    return [Field.model_validate(one) for one in remembered["fields"]]


def restart_of(found: Json, at: datetime) -> Field:
    """Return the field that restarts a workload, the one that `kubectl rollout restart` writes."""
    return Field(path=RESTARTED, before=value(found, RESTARTED), after=at.isoformat(timespec="milliseconds"))


def autoscalers_of(cluster: Cluster, resource: Resource) -> list[str]:
    """Return the names of the HorizontalPodAutoscalers that own the scale of a workload."""
    scalers = cluster.items(Resource("autoscaling", "v2", "horizontalpodautoscalers", resource.namespace))
    targets = {one["metadata"]["name"]: one["spec"]["scaleTargetRef"] for one in scalers}
    return [
        name
        for name, target in targets.items()
        if WORKLOADS.get(target["kind"]) == resource.plural and target["name"] == resource.name
    ]
