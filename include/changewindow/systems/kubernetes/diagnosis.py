"""Diagnoses why the pods of a workload do not run: what their containers wait for, or why there are none."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from changewindow.systems.kubernetes.resource import Json

STARTING = {"ContainerCreating", "PodInitializing", ""}
"""Reasons for which any container waits before it runs."""
OVERDUE = timedelta(seconds=10)
"""A pod that is still there this long after it should have ended is stuck, not just slow."""
SHOWN = 10
"""The most findings that are listed; a thousand pods tend to have the same one."""


def selector_of(workload: Json) -> str:
    """Return the label selector of a workload, in the syntax of the API."""
    selector = workload["spec"].get("selector") or {}
    parts = [f"{name}={value}" for name, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or []:
        key, values = expression["key"], ",".join(expression.get("values") or [])
        by_operator = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})"}
        by_operator |= {"Exists": key, "DoesNotExist": f"!{key}"}
        parts.append(by_operator[expression["operator"]])
    return ",".join(parts)


def owned(items: Sequence[Json], *owners: Json) -> list[Json]:
    """Return the objects that one of the owners controls; others may have the same labels."""
    uids = {owner["metadata"]["uid"] for owner in owners}

    def is_controlled(item: Json) -> bool:
        references = item["metadata"].get("ownerReferences") or []
        return any(reference.get("controller") and reference["uid"] in uids for reference in references)

    return [item for item in items if is_controlled(item)]


def is_ready(pod: Json) -> bool:
    """Return whether a pod is ready to serve."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def statuses(pod: Json) -> list[Json]:
    """Return the statuses of all containers of a pod, init containers first."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def waiting_reasons(pod: Json) -> list[str]:
    """Return the reasons for which containers of a pod wait, other than that they start."""
    reasons = [((status.get("state") or {}).get("waiting") or {}).get("reason", "") for status in statuses(pod)]
    return sorted({reason for reason in reasons if reason not in STARTING})


def diagnosis(pods: Sequence[Json] = (), *, creators: Sequence[Json] = (), events: Sequence[Json] = ()) -> list[str]:
    """Return what is wrong with pods and with what should create them (ReplicaSets), and what events say of that."""
    findings = [text for pod in pods if not is_ready(pod) for text in _of_pod(pod)]
    # a Deployment repeats what its ReplicaSet says; the first of the creators is named
    failures = {
        f"{condition.get('reason')}: {condition.get('message')}": creator["metadata"]["name"]
        for creator in reversed(creators)
        for condition in (creator.get("status") or {}).get("conditions") or []
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True"
    }
    findings += [f"{name}: {text}" for text, name in failures.items()]
    named = [(event["involvedObject"]["name"], event) for event in events]
    findings += [f"{name}: {event.get('reason')}: {event.get('message')}" for name, event in named]
    return list(dict.fromkeys(findings))


def unexplained(pods: Sequence[Json]) -> list[str]:
    """Return which pods are not ready for no known reason, with their node: that may be the cause."""
    nodes = [(pod["metadata"]["name"], pod["spec"].get("nodeName")) for pod in pods if not is_ready(pod)]
    return [
        f"pod {name} is not ready, and its node gives no reason; look with `kubectl describe node {node}`"
        for name, node in nodes
        if node
    ]


def listed(findings: Sequence[str]) -> str:
    """Return findings as one text; of many, the first."""
    more = [f"and {len(findings) - SHOWN} more"] if len(findings) > SHOWN else []
    return "; ".join([*findings[:SHOWN], *more])


def _of_pod(pod: Json) -> Iterator[str]:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp"):
        yield from _of_deleted(pod)
        return
    if status.get("reason"):
        yield f"pod {name}: {status['reason']}: {status.get('message', '')}".rstrip(": ")
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            yield f"pod {name}: {condition.get('reason')}: {condition.get('message', '')}".rstrip(": ")
    for container in statuses(pod):
        if text := _of_container(container):
            yield f"pod {name}, container {container['name']}: {text}"


def _of_deleted(pod: Json) -> Iterator[str]:
    """Yield who evicts a pod that is being deleted, and that it is stuck; that pods are deleted is not wrong."""
    name, ends = pod["metadata"]["name"], pod["metadata"]["deletionTimestamp"]
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
            yield f"pod {name}: {condition.get('reason')}: {condition.get('message', '')}".rstrip(": ")
    if datetime.now(UTC) - datetime.fromisoformat(ends) > OVERDUE:
        question = f"is its node {pod['spec'].get('nodeName')} well, or does a finalizer keep it?"
        yield f"pod {name}: should have ended by {ends}, but has not; {question}"


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
    parts = (ended.get("reason"), f"exit code {ended.get('exitCode')}", ended.get("message"))
    return ", ".join(str(part).strip() for part in parts if part)
