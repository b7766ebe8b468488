"""Waits for the rollout of workloads as `kubectl rollout status` does, and says why one does not complete."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from changewindow.errors import StepFailed
from changewindow.systems.kubernetes.cluster import Cluster, Refused
from changewindow.systems.kubernetes.diagnosis import diagnosis, is_ready, listed, owned, selector_of, unexplained
from changewindow.systems.kubernetes.events import failed_creates, warnings
from changewindow.systems.kubernetes.fields import Direction, Field, changed_again
from changewindow.systems.kubernetes.resource import Json, Resource, core

EVERY = 0.5
SEEN_WITHIN = timedelta(seconds=30)
DIAGNOSE_EVERY = 2.0


def is_observed(workload: Json) -> bool:
    """Return whether the status of a workload is about its present spec."""
    observed_generation = (workload.get("status") or {}).get("observedGeneration", 0)
    return bool(workload["metadata"].get("generation", 0) <= observed_generation)


def observed(cluster: Cluster, resource: Resource) -> Json:
    """Return a workload whose controller has seen its present spec: only then can its status be trusted.

    Raises:
        StepFailed: the controller has not seen it in time.
    """

    def look() -> Json | None:
        workload = cluster.get(resource)
        return workload if is_observed(workload) else None

    # it mostly has, and then it is not worth a line in the log; a dry run does not wait
    workload = look() or cluster.context.until(
        f"the controller of {resource} has seen its new spec", look, within=SEEN_WITHIN, every=EVERY
    )
    return workload or cluster.get(resource)


def left(workload: Json) -> str:
    """Return what a rollout still waits for, worded like `kubectl rollout status`; nothing when it is complete."""
    status, spec = workload.get("status") or {}, workload["spec"]
    if not is_observed(workload):
        return "its new spec is not observed yet"
    wanted = spec.get("replicas", 1)
    kind = workload.get("kind")
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


def left_to_scale(workload: Json) -> str:
    """Return what scaling still waits for: exactly as many pods as wanted, all of them available."""
    status, wanted = workload.get("status") or {}, workload["spec"].get("replicas", 1)
    if not is_observed(workload):
        return "its new spec is not observed yet"
    present, available = status.get("replicas", 0), status.get("availableReplicas", 0)
    return _first((present != wanted, f"there are {present} pods, {wanted} wanted"), _available(available, wanted))


@dataclass
class Rollout:
    """One workload to wait for; `before` is the workload as it was before it was changed."""

    resource: Resource
    before: Json | None = None
    fields: Sequence[Field] = ()
    """What was written into it; when somebody else overwrites that, it is another rollout."""
    direction: Direction = "apply"
    left: Callable[[Json], str] = left
    remaining: str = "nothing known yet"
    """What it still waits for; empty when it is complete."""
    findings: list[str] = field(default_factory=list)
    diagnosed: float = 0.0

    @property
    def frees_stuck_pods(self) -> bool:
        """Return whether pods of the failed revision are deleted: a StatefulSet would wait for them forever."""
        return self.direction == "undo" and self.left is left


def wait(cluster: Cluster, rollouts: Sequence[Rollout], within: timedelta) -> None:
    """Wait until all workloads are rolled out; what is wrong with their pods goes to the log while it happens.

    Raises:
        StepFailed: it took too long, or a deployment exceeded its progress deadline; with the reason of each pod.
    """
    names = ", ".join(str(rollout.resource) for rollout in rollouts)

    def are_done() -> bool:
        # a list, not a generator: all of them are looked at, so that the log says what is wrong with each
        return not [rollout for rollout in rollouts if not _is_done(cluster, rollout)]

    try:
        cluster.context.until(f"the rollout of {names} is complete", are_done, within=within, every=EVERY)
    except StepFailed as error:
        if isinstance(error, Refused):
            raise
        accounts = [_account(cluster, rollout) for rollout in rollouts if rollout.remaining]
        raise StepFailed(" ".join([str(error), *accounts])) from error


def _is_done(cluster: Cluster, rollout: Rollout) -> bool:
    workload = cluster.glance(lambda: _look(cluster, rollout))
    if workload and rollout.remaining and _gave_up(workload) and _gave_up(workload) != _gave_up(rollout.before):
        raise StepFailed(f"{rollout.resource} exceeded its progress deadline.")
    return workload is not None and not rollout.remaining


def _look(cluster: Cluster, rollout: Rollout) -> Json:
    """Return the workload as it is, after a look at what is wrong with it."""
    workload = cluster.get(rollout.resource)
    _require_own(rollout, workload)
    rollout.remaining = rollout.left(workload)
    if rollout.remaining and time.monotonic() - rollout.diagnosed >= DIAGNOSE_EVERY:
        _diagnose(cluster, rollout, workload)
    # only once observed: before, its update revision is still the failed one, and the good pods would be deleted
    is_set = workload.get("kind") == "StatefulSet"
    if rollout.remaining and rollout.frees_stuck_pods and is_set and is_observed(workload):
        _free_stuck_pods(cluster, workload)
    return workload


def _require_own(rollout: Rollout, workload: Json) -> None:
    again = changed_again(workload, rollout.fields, rollout.direction)
    if again:
        rollout.remaining = ""  # how far it came does not matter any more
        raise StepFailed(
            f"Somebody else has changed {rollout.resource} during its rollout: {'; '.join(again)}. Find "
            "out who did, or what resets it (Argo CD, Flux, an operator, a webhook that writes something else each "
            "time), and make the change there."
        )


def _gave_up(workload: Json | None) -> Json | None:
    """Return the condition of a deployment that makes no progress; it may still be there from an earlier rollout."""
    conditions = ((workload or {}).get("status") or {}).get("conditions") or []
    wanted = {"type": "Progressing", "reason": "ProgressDeadlineExceeded"}
    return next((condition for condition in conditions if wanted.items() <= condition.items()), None)


def _account(cluster: Cluster, rollout: Rollout) -> str:
    findings: list[str] = []
    try:
        workload = cluster.get(rollout.resource)
        _diagnose(cluster, rollout, workload)
        # only now: existing pods say nothing of missing ones, but during the rollout such an event may be an old one
        findings = rollout.findings or diagnosis(events=failed_creates(cluster, workload))
        findings = findings or unexplained(_creators_and_pods(cluster, rollout.resource, workload)[1])
    except Refused as error:
        cluster.context.log(f"ignored: {error}")
    text = listed(findings or rollout.findings) or "its pods give no reason; look at them with kubectl describe"
    return f"{rollout.resource}: {rollout.remaining}: {text}."


def _diagnose(cluster: Cluster, rollout: Rollout, workload: Json) -> None:
    rollout.diagnosed = time.monotonic()
    earlier, rollout.findings = rollout.findings, diagnosis_of(cluster, rollout.resource, workload)
    for finding in rollout.findings:
        if finding not in earlier:
            cluster.context.log(f"{rollout.resource.name}: {finding}")


def diagnosis_of(cluster: Cluster, resource: Resource, workload: Json) -> list[str]:
    """Return why pods of a workload do not run, as far as the account may know it."""
    if workload["spec"].get("paused"):
        return [f"it is paused; resume it with `kubectl rollout resume deployment/{resource.name}`"]
    try:
        creators, pods = _creators_and_pods(cluster, resource, workload)
        is_set = workload.get("kind") != "Deployment"
        events = failed_creates(cluster, workload) if is_set and not pods else []
        return diagnosis(pods, creators=creators, events=events) or diagnosis(events=warnings(cluster, pods))
    except Refused as error:
        if error.is_passing:
            raise
        return [str(error)]


def _creators_and_pods(cluster: Cluster, resource: Resource, workload: Json) -> tuple[list[Json], list[Json]]:
    creators = [workload]
    if workload.get("kind") == "Deployment":
        sets = cluster.items(resource.of(plural="replicasets", name=""), labelSelector=selector_of(workload))
        creators = [*owned(sets, workload), workload]
    return creators, owned(_pods(cluster, workload), *creators)


def _pods(cluster: Cluster, workload: Json) -> list[Json]:
    return cluster.items(core("pods", workload["metadata"]["namespace"]), labelSelector=selector_of(workload))


def _free_stuck_pods(cluster: Cluster, workload: Json) -> None:
    """Delete the pods that keep a StatefulSet from going back to its old revision."""
    revision = (workload.get("status") or {}).get("updateRevision")
    for pod in owned(_pods(cluster, workload), workload):
        labels = pod["metadata"].get("labels") or {}
        is_deleted = "deletionTimestamp" in pod["metadata"]
        if not is_deleted and not is_ready(pod) and labels.get("controller-revision-hash") != revision:
            cluster.delete(core("pods", pod["metadata"]["namespace"], pod["metadata"]["name"]), pod)


def _first(*cases: tuple[bool, str]) -> str:
    return next((text for is_so, text in cases if is_so), "")


def _available(available: int, wanted: int) -> tuple[bool, str]:
    return (available < wanted, f"{available} of {wanted} updated replicas are available")
