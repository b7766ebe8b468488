"""Waits for the rollout of workloads as `kubectl rollout status` does, and tells why one does not come about."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from changewindow.errors import StepFailed
from changewindow.systems.kubernetes.cluster import Cluster, Refused
from changewindow.systems.kubernetes.diagnosis import is_ready, listed, owned, selector_of, silent, troubles
from changewindow.systems.kubernetes.events import failed_creates, warnings
from changewindow.systems.kubernetes.fields import Field, Way, changed_again
from changewindow.systems.kubernetes.resource import Json, Resource, core

EVERY = 0.5
SEEN_WITHIN = timedelta(seconds=30)
LOOK_FOR_TROUBLES_EVERY = 2.0


def is_observed(found: Json) -> bool:
    """Return whether the status of a workload is about its present spec."""
    return bool(found["metadata"].get("generation", 0) <= (found.get("status") or {}).get("observedGeneration", 0))


def observed(cluster: Cluster, resource: Resource) -> Json:
    """Return a workload whose controller has seen its present spec: only then does its status say how it is.

    Raises:
        StepFailed: the controller does not see it.
    """

    def look() -> Json | None:
        found = cluster.get(resource)
        return found if is_observed(found) else None

    # mostly there at once, and then not worth a line in the log; a dry run does not wait
    found = look() or cluster.context.until(
        f"the controller of {resource} has seen its new spec", look, within=SEEN_WITHIN, every=EVERY
    )
    return found or cluster.get(resource)


def left(found: Json) -> str:
    """Return what a rollout still waits for, in the words of `kubectl rollout status`; nothing when it is complete."""
    status, spec = found.get("status") or {}, found["spec"]
    if not is_observed(found):
        return "its new spec is not observed yet"
    wanted = spec.get("replicas", 1)
    kind = found.get("kind")
    if kind == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        updated, available = status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)
        return _first((updated < wanted, f"{updated} of {wanted} new pods are updated"), _available(available, wanted))
    updated, ready = status.get("updatedReplicas", 0), status.get("readyReplicas", 0)
    if kind == "StatefulSet":
        rolling = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
        part = wanted - (rolling.get("partition") or 0)
        return _first(
            (ready < wanted, f"{ready} of {wanted} pods are ready"),
            (updated < part, f"{updated} of {part} new pods are updated"),
        )
    old = status.get("replicas", 0) - updated
    return _first(
        (updated < wanted, f"{updated} of {wanted} new replicas are updated"),
        (old > 0, f"{old} old replicas are pending termination"),
        _available(status.get("availableReplicas", 0), updated),
    )


def left_to_scale(found: Json) -> str:
    """Return what scaling still waits for: exactly as many pods as wanted, all of them available."""
    status, wanted = found.get("status") or {}, found["spec"].get("replicas", 1)
    if not is_observed(found):
        return "its new spec is not observed yet"
    there, available = status.get("replicas", 0), status.get("availableReplicas", 0)
    return _first((there != wanted, f"{there} pods are there, {wanted} wanted"), _available(available, wanted))


@dataclass
class Rollout:
    """One workload to wait for; `before` is the workload as it was before it was changed."""

    resource: Resource
    before: Json | None = None
    fields: Sequence[Field] = ()
    """What was written into it; when somebody else writes that anew, it is another rollout."""
    way: Way = "forth"
    left: Callable[[Json], str] = left
    says: str = "nothing known yet"
    troubles: list[str] = field(default_factory=list)
    looked: float = 0.0

    @property
    def frees_stuck_pods(self) -> bool:
        """Return whether pods of the failed revision are deleted: a StatefulSet waits for ever for them to be ready."""
        return self.way == "back" and self.left is left


def wait(cluster: Cluster, rollouts: Sequence[Rollout], within: timedelta) -> None:
    """Wait until all workloads are rolled out; what is wrong with their pods goes to the log while it happens.

    Raises:
        StepFailed: it was not in time, or a deployment exceeded its progress deadline; with the reason of each pod.
    """
    names = ", ".join(str(one.resource) for one in rollouts)

    def are_done() -> bool:
        # each of them is looked at, also beside one that is not done: what is wrong with it is told too
        return not [one for one in rollouts if not _is_done(cluster, one)]

    try:
        cluster.context.until(f"the rollout of {names} is complete", are_done, within=within, every=EVERY)
    except StepFailed as error:
        if isinstance(error, Refused):
            raise
        says = [_account(cluster, one) for one in rollouts if one.says]
        raise StepFailed(" ".join([str(error), *says])) from error


def _is_done(cluster: Cluster, rollout: Rollout) -> bool:
    found = cluster.glance(lambda: _looked_at(cluster, rollout))
    if found and rollout.says and _gave_up(found) and _gave_up(found) != _gave_up(rollout.before):
        raise StepFailed(f"{rollout.resource} exceeded its progress deadline.")
    return found is not None and not rollout.says


def _looked_at(cluster: Cluster, rollout: Rollout) -> Json:
    """Return the workload as it is, after a look at what is wrong with it."""
    found = cluster.get(rollout.resource)
    _require_own(rollout, found)
    rollout.says = rollout.left(found)
    if rollout.says and time.monotonic() - rollout.looked >= LOOK_FOR_TROUBLES_EVERY:
        _look_for_troubles(cluster, rollout, found)
    # before that, its update revision is still the one that failed, and the pods of before would be deleted
    if rollout.says and rollout.frees_stuck_pods and found.get("kind") == "StatefulSet" and is_observed(found):
        _free_stuck_pods(cluster, found)
    return found


def _require_own(rollout: Rollout, found: Json) -> None:
    again = changed_again(found, rollout.fields, rollout.way)
    if again:
        rollout.says = ""  # how far it is does not matter any more
        raise StepFailed(
            f"Somebody else has changed {rollout.resource} while its rollout was waited for: {'; '.join(again)}. Find "
            "out who did, or what keeps it so (Argo CD, Flux, an operator), and make the change there."
        )


def _gave_up(found: Json | None) -> Json | None:
    """Return the condition of a deployment that makes no progress; the one of an earlier rollout may still be there."""
    conditions = ((found or {}).get("status") or {}).get("conditions") or []
    wanted = {"type": "Progressing", "reason": "ProgressDeadlineExceeded"}
    return next((one for one in conditions if wanted.items() <= one.items()), None)


def _account(cluster: Cluster, rollout: Rollout) -> str:
    found = []
    try:
        there = cluster.get(rollout.resource)
        _look_for_troubles(cluster, rollout, there)
        # pods that are there tell nothing of those that are not; while it goes on, such an event may be an old one
        found = rollout.troubles or troubles([], [], failed_creates(cluster, there))
        found = found or silent(_makers_and_pods(cluster, rollout.resource, there)[1])
    except Refused as error:
        cluster.context.log(f"this look does not count: {error}")
    told = listed(found or rollout.troubles) or "its pods tell no reason; look at them with kubectl describe"
    return f"{rollout.resource}: {rollout.says}: {told}."


def _look_for_troubles(cluster: Cluster, rollout: Rollout, found: Json) -> None:
    rollout.looked = time.monotonic()
    earlier, rollout.troubles = rollout.troubles, troubles_of(cluster, rollout.resource, found)
    for said in rollout.troubles:
        if said not in earlier:
            cluster.context.log(f"{rollout.resource.name}: {said}")


def troubles_of(cluster: Cluster, resource: Resource, found: Json) -> list[str]:
    """Return why pods of a workload do not run, as far as the account may know it."""
    if found["spec"].get("paused"):
        return [f"it is paused; let it go on with `kubectl rollout resume deployment/{resource.name}`"]
    try:
        makers, pods = _makers_and_pods(cluster, resource, found)
        is_set = found.get("kind") != "Deployment"
        events = failed_creates(cluster, found) if is_set and not pods else []
        return troubles(pods, makers, events) or troubles([], [], warnings(cluster, pods))
    except Refused as error:
        if error.is_passing:
            raise
        return [str(error)]


def _makers_and_pods(cluster: Cluster, resource: Resource, found: Json) -> tuple[list[Json], list[Json]]:
    makers = [found]
    if found.get("kind") == "Deployment":
        sets = cluster.items(resource.of(plural="replicasets", name=""), labelSelector=selector_of(found))
        makers = [*owned(sets, found), found]
    return makers, owned(_pods(cluster, found), *makers)


def _pods(cluster: Cluster, found: Json) -> list[Json]:
    return cluster.items(core("pods", found["metadata"]["namespace"]), labelSelector=selector_of(found))


def _free_stuck_pods(cluster: Cluster, found: Json) -> None:
    """Delete the pods that keep a StatefulSet from going back to its old revision."""
    revision = (found.get("status") or {}).get("updateRevision")
    for pod in owned(_pods(cluster, found), found):
        labels = pod["metadata"].get("labels") or {}
        is_going = "deletionTimestamp" in pod["metadata"]
        if not is_going and not is_ready(pod) and labels.get("controller-revision-hash") != revision:
            cluster.delete(core("pods", pod["metadata"]["namespace"], pod["metadata"]["name"]), pod)


def _first(*asked: tuple[bool, str]) -> str:
    return next((says for is_so, says in asked if is_so), "")


def _available(available: int, wanted: int) -> tuple[bool, str]:
    return (available < wanted, f"{available} of {wanted} updated replicas are available")
