"""Says of the pods of a workload why they do not run: what their containers wait for, or why there are none."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from changewindow.systems.kubernetes.resource import Json

STARTING = {"ContainerCreating", "PodInitializing", ""}
"""Reasons for which every container waits before it runs."""
OVERDUE = timedelta(seconds=10)
"""So long after its time a pod that is still there does not just end slowly."""
SHOWN = 10
"""So many different troubles are told; a thousand pods tend to have the same one."""


def selector_of(workload: Json) -> str:
    """Return the label selector of a workload as the API takes it."""
    selector = workload["spec"].get("selector") or {}
    parts = [f"{name}={value}" for name, value in (selector.get("matchLabels") or {}).items()]
    for one in selector.get("matchExpressions") or []:
        values = ",".join(one.get("values") or [])
        words = {"In": f"{one['key']} in ({values})", "NotIn": f"{one['key']} notin ({values})"}
        words |= {"Exists": one["key"], "DoesNotExist": f"!{one['key']}"}
        parts.append(words[one["operator"]])
    return ",".join(parts)


def owned(items: Sequence[Json], *owners: Json) -> list[Json]:
    """Return the objects that one of the owners controls; labels alone may be those of others too."""
    uids = {owner["metadata"]["uid"] for owner in owners}
    return [
        item
        for item in items
        if any(one.get("controller") and one["uid"] in uids for one in item["metadata"].get("ownerReferences") or [])
    ]


def is_ready(pod: Json) -> bool:
    """Return whether a pod is ready to serve."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def statuses(pod: Json) -> list[Json]:
    """Return the statuses of all containers of a pod, those that run first in front."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def waiting_reasons(pod: Json) -> list[str]:
    """Return for what reasons containers of a pod wait, other than that they start."""
    reasons = [((one.get("state") or {}).get("waiting") or {}).get("reason", "") for one in statuses(pod)]
    return sorted({reason for reason in reasons if reason not in STARTING})


def troubles(pods: Sequence[Json], makers: Sequence[Json], events: Sequence[Json]) -> list[str]:
    """Return what is wrong: with pods, with what should make pods (ReplicaSets), and what events say of that."""
    found = [said for pod in pods if not is_ready(pod) for said in _of_pod(pod)]
    # a Deployment repeats what its ReplicaSet says; the first of the makers is named
    failures = {
        f"{one.get('reason')}: {one.get('message')}": maker["metadata"]["name"]
        for maker in reversed(makers)
        for one in (maker.get("status") or {}).get("conditions") or []
        if one["type"] == "ReplicaFailure" and one["status"] == "True"
    }
    found += [f"{name}: {says}" for says, name in failures.items()]
    found += [f"{one['involvedObject']['name']}: {one.get('reason')}: {one.get('message')}" for one in events]
    return list(dict.fromkeys(found))


def silent(pods: Sequence[Json]) -> list[str]:
    """Return which pods are not ready although nothing is wrong with them, and where: their node may be."""
    placed = [(pod["metadata"]["name"], pod["spec"].get("nodeName")) for pod in pods if not is_ready(pod)]
    return [
        f"pod {name} is not ready, and its node tells no reason; look with `kubectl describe node {node}`"
        for name, node in placed
        if node
    ]


def listed(found: Sequence[str]) -> str:
    """Return troubles as one text, not too many of them."""
    more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return "; ".join([*found[:SHOWN], *more])


def _of_pod(pod: Json) -> Iterator[str]:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp"):
        yield from _of_leaving(pod)
        return
    if status.get("reason"):
        yield f"pod {name}: {status['reason']}: {status.get('message', '')}".rstrip(": ")
    for one in status.get("conditions") or []:
        if one["type"] == "PodScheduled" and one["status"] == "False":
            yield f"pod {name}: {one.get('reason')}: {one.get('message', '')}".rstrip(": ")
    for one in statuses(pod):
        said = _of_container(one)
        if said:
            yield f"pod {name}, container {one['name']}: {said}"


def _of_leaving(pod: Json) -> Iterator[str]:
    """Yield who evicts a pod that is being deleted, and whether it does not go; that pods go is no trouble."""
    name, ends = pod["metadata"]["name"], pod["metadata"]["deletionTimestamp"]
    for one in (pod.get("status") or {}).get("conditions") or []:
        if one["type"] == "DisruptionTarget" and one["status"] == "True":
            yield f"pod {name}: {one.get('reason')}: {one.get('message', '')}".rstrip(": ")
    if datetime.now(UTC) - datetime.fromisoformat(ends) > OVERDUE:
        why = f"is its node {pod['spec'].get('nodeName')} well, or does a finalizer keep it?"
        yield f"pod {name}: should have ended by {ends}, and has not; {why}"


def _of_container(status: Json) -> str:
    state = status.get("state") or {}
    waiting, ended = state.get("waiting"), state.get("terminated")
    last = (status.get("lastState") or {}).get("terminated")
    if waiting and waiting.get("reason", "") not in STARTING:
        before = f"; before that: {_end(last)}" if last else ""
        return f"{waiting['reason']}: {waiting.get('message', '')}".rstrip(": ") + before
    if ended and ended.get("exitCode"):
        return _end(ended)
    if state.get("running") and not status.get("ready"):
        before = f"; before that: {_end(last)}" if last else ""
        return f"runs, but is not ready (its readiness probe fails or has not passed yet){before}"
    return ""


def _end(ended: Json) -> str:
    words = (ended.get("reason"), f"exit code {ended.get('exitCode')}", ended.get("message"))
    return ", ".join(str(word).strip() for word in words if word)
