"""Changes single fields of a workload, undoes them, and finds beforehand what would prevent either."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field as Setting

from changewindow.errors import StepFailed
from changewindow.systems.kubernetes.cluster import Cluster, Refused
from changewindow.systems.kubernetes.diagnosis import owned, selector_of
from changewindow.systems.kubernetes.fields import Direction, Field, patch, pending, told, value
from changewindow.systems.kubernetes.resource import WORKLOADS, Json, Resource, core, workload
from changewindow.systems.kubernetes.rollout import Rollout, is_observed, left, wait

KINDS = {"deployment": "Deployment", "statefulset": "StatefulSet", "daemonset": "DaemonSet"}
RESTARTED = ("spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt")
NAME = r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?"

Name = Annotated[str, Setting(pattern=f"^{NAME}$", max_length=253)]
"""The name of an object."""
Namespace = Annotated[str, Setting(pattern=f"^({NAME})?$", max_length=63)]
"""The name of a namespace; an empty text stands for that of the connection."""
Workload = Annotated[str, Setting(pattern=f"^(deployment|statefulset|daemonset)/{NAME}$", max_length=253)]
"""A workload as kubectl names it: `deployment/cart`."""


def resource_of(cluster: Cluster, namespace: str, reference: str) -> Resource:
    """Return the workload that a ticket names, like `deployment/cart`."""
    return named(cluster.namespace(namespace), reference)


def named(namespace: str, reference: str) -> Resource:
    """Return the workload of a reference like `deployment/cart`."""
    kind, _, name = reference.partition("/")
    return workload(KINDS[kind], namespace, name)


def write(
    cluster: Cluster, resource: Resource, fields: Sequence[Field], direction: Direction, *, subresource: str = ""
) -> None:
    """Apply or undo fields of an object, or of a subresource, unless they have their values already.

    Raises:
        StepFailed: somebody else has changed one of them, or the object is gone.
    """

    def patch_of(current: Json) -> Json | None:
        missing = pending(resource, current, fields, direction)
        if not missing:
            cluster.context.log(f"nothing to write: {resource} already has these values")
        return patch(current, missing, direction) if missing else None

    if direction == "undo" and cluster.find(resource) is None:
        raise StepFailed(
            f"{resource} is gone: somebody has deleted it since the change began. It cannot be restored from here; "
            f"create it again, with {', '.join(f'{field} = {told(field.before)}' for field in fields)}."
        )
    cluster.revise(resource, patch_of, subresource)


def roll_out(cluster: Cluster, remembered: dict[Resource, Json], direction: Direction, *, within: timedelta) -> None:
    """Apply or undo what `memory_of` remembered in the pod templates of workloads, and wait for their rollouts.

    Undo does not wait for a workload that was not rolled out before the change.

    Raises:
        StepFailed: somebody else has changed one of them, one is paused, or a rollout does not complete.
    """
    rollouts = []
    for resource, memory in remembered.items():
        before = cluster.find(resource)
        if direction == "apply":
            require_not_paused(resource, before)
        write(cluster, resource, fields_of(memory), direction)
        if direction == "undo":
            require_not_paused(resource, before)
        if direction == "apply" or memory["was_rolled_out"]:
            rollouts.append(Rollout(resource, before, fields_of(memory), direction))
        else:
            cluster.context.log(f"not waiting for {resource}: it was not rolled out before the change either")
    if rollouts:
        wait(cluster, rollouts, within)


def require_not_paused(resource: Resource, state: Json | None) -> None:
    """Make sure that what is written into a workload reaches its pods.

    Raises:
        StepFailed: it is paused.
    """
    if state and state["spec"].get("paused"):
        name, namespace = resource.name, resource.namespace
        raise StepFailed(
            f"{resource} is paused: its pods stay as they are, whatever is written into it. Resume it with "
            f"`kubectl rollout resume deployment/{name} -n {namespace}`."
        )


def rollout_obstacles(cluster: Cluster, resource: Resource) -> list[str]:
    """Return what prevents a rollout of a workload or its undo: rights, the object, its revision, its strategy."""
    needed = [("get", resource), ("patch", resource)]
    if resource.plural == "statefulsets":
        pods = core("pods", resource.namespace)
        needed += [("list", pods), ("delete", pods)]
    if missing := cluster.missing_rights(*needed):
        return missing
    state = cluster.find(resource)
    if state is None:
        return absence(resource, state)
    return [*absence(resource, state), *_obstacles(resource, state), *_unknown_revision(cluster, resource, state)]


def absence(resource: Resource, state: Json | None) -> list[str]:
    """Return why there is nothing to change: the object does not exist, or is being deleted."""
    if state is None:
        return [f"There is no {resource}. Correct the name or the namespace, or create it first."]
    since = state["metadata"].get("deletionTimestamp")
    return [f"{resource} was marked for deletion at {since}. Find out by whom."] if since else []


def refusals(cluster: Cluster, resource: Resource, state: Json, fields: Sequence[Field]) -> list[str]:
    """Return why the server would refuse to change fields, by a dry run on the server: a policy may forbid it."""
    return cluster.refusals(lambda: cluster.try_patch(resource, patch(state, fields, "apply")))


def as_stored(
    cluster: Cluster, resource: Resource, state: Json, fields: Sequence[Field], *directions: Direction
) -> list[Field]:
    """Return the fields of an object as the server would store them, by a dry run on the server in both directions.

    Admission may change what is written: a digest takes the place of an image's tag, a number is kept within limits.
    What it makes of a field must not be taken for somebody else's change.

    Source: https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
    """
    for direction in directions or ("apply", "undo"):
        try:
            made = cluster.try_patch(resource, patch(state, fields, direction))
        except Refused as error:
            cluster.context.log(f"what the server would store is not known: {error}")
            continue
        fields = [field.stored_as(value(made, field.path), direction) for field in fields]
    return list(fields)


def _obstacles(resource: Resource, state: Json) -> list[str]:
    obstacles = []
    if state["spec"].get("paused"):
        obstacles.append(f"{resource} is paused. Resume it with `kubectl rollout resume deployment/{resource.name}`.")
    if (state["spec"].get("updateStrategy") or {}).get("type") == "OnDelete":
        obstacles.append(
            f"The strategy of {resource} is OnDelete: its pods stay as they are until somebody removes them. "
            "Make it RollingUpdate."
        )
    part = value(state, ("spec", "updateStrategy", "rollingUpdate", "partition"))
    wanted = state["spec"].get("replicas", 1)
    if part and part >= wanted:
        obstacles.append(f"The partition of {resource} is {part}: all of its {wanted} pods stay as they are. Lower it.")
    return obstacles


def _unknown_revision(cluster: Cluster, resource: Resource, state: Json) -> list[str]:
    unseen = f"{resource} has no revision to go back to: its controller has not seen its present pod template yet."
    advice = "Wait a moment; if that does not help, the kube-controller-manager is not working."
    return [] if revision_of(cluster, resource, state) else [f"{unseen} {advice}"]


def revision_of(cluster: Cluster, resource: Resource, state: Json) -> str:
    """Return the present revision of a workload, as `kubectl rollout history` counts; empty if it has none."""
    if not is_observed(state):
        return ""
    if resource.plural == "deployments":
        annotations = state["metadata"].get("annotations") or {}
        return str(annotations.get("deployment.kubernetes.io/revision", ""))
    kept = cluster.items(resource.of(plural="controllerrevisions", name=""), labelSelector=selector_of(state))
    return str(max((revision["revision"] for revision in owned(kept, state)), default=""))


def memory_of(cluster: Cluster, resource: Resource, state: Json, fields: Sequence[Field]) -> Json:
    """Return what undo needs to know of a workload, as JSON."""
    return {
        "fields": [field.model_dump(mode="json") for field in as_stored(cluster, resource, state, fields)],
        "revision": revision_of(cluster, resource, state),
        "was_rolled_out": not left(state),
    }


def fields_of(remembered: Json) -> list[Field]:
    """Return the fields that `memory_of` remembered."""
    return [Field.model_validate(field) for field in remembered["fields"]]


def restart_of(state: Json, at: datetime) -> Field:
    """Return the field by which `kubectl rollout restart` restarts a workload."""
    return Field(path=RESTARTED, before=value(state, RESTARTED), after=at.isoformat(timespec="milliseconds"))


def autoscalers_of(cluster: Cluster, resource: Resource) -> list[str]:
    """Return the names of the HorizontalPodAutoscalers that own the scale of a workload."""
    scalers = cluster.items(Resource("autoscaling", "v2", "horizontalpodautoscalers", resource.namespace))
    targets = {scaler["metadata"]["name"]: scaler["spec"]["scaleTargetRef"] for scaler in scalers}
    return [
        name
        for name, target in targets.items()
        if WORKLOADS.get(target["kind"]) == resource.plural and target["name"] == resource.name
    ]
