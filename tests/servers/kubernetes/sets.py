"""Does what the controllers of StatefulSets, DaemonSets and Jobs do."""

import hashlib
import json
import time
from datetime import UTC, datetime

from servers.kubernetes.patches import copied
from servers.kubernetes.pods import is_ready, make_pod, owned, owner_reference, warn
from servers.kubernetes.store import Json, Store, now

HASH = "controller-revision-hash"
NODES = 2


def _revision(store: Store, obj: Json) -> Json:
    """Return the revision of the present template, made where there is none; the present one has the highest number."""
    kept = owned(store, "controllerrevisions.apps", obj)
    template = obj["spec"]["template"]
    highest = max((entry["revision"] for entry in kept), default=0)
    mine = next((entry for entry in kept if entry["data"]["spec"]["template"] == template), None)
    if mine is None:
        code = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
        metadata = {"name": f"{obj['metadata']['name']}-{code}", "namespace": obj["metadata"]["namespace"]}
        metadata |= {"labels": dict(template["metadata"]["labels"]), "ownerReferences": [owner_reference(obj)]}
        made = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": metadata, "revision": highest + 1}
        return store.create({**made, "data": {"spec": {"template": template}}})
    if mine["revision"] < highest:
        mine["revision"] = highest + 1
        key = ("controllerrevisions.apps", mine["metadata"]["namespace"], mine["metadata"]["name"])
        return store.replace(key, mine)
    return mine


def _pods(store: Store, obj: Json) -> list[Json]:
    return sorted(owned(store, "pods", obj), key=lambda pod: int(pod["metadata"]["name"].rpartition("-")[2]))


def _of(pod: Json) -> str:
    return str(pod["metadata"]["labels"].get(HASH))


def _delete(store: Store, pod: Json) -> None:
    store.delete(("pods", pod["metadata"]["namespace"], pod["metadata"]["name"]))


def sync_stateful_set(store: Store, obj: Json) -> None:
    """Take one step, and no second one before all pods are ready: that is why a broken revision blocks the rollback."""
    update = _revision(store, obj)["metadata"]["name"]
    current = obj.get("status", {}).get("currentRevision", update)
    if not obj["metadata"].get("deletionTimestamp"):
        _step(store, obj, current, update)
    pods, wanted = _pods(store, obj), obj["spec"]["replicas"]
    ready = [pod for pod in pods if is_ready(pod)]
    updated = [pod for pod in pods if _of(pod) == update]
    if len(ready) == len(updated) == wanted:
        current = update
    numbers = {"replicas": len(pods), "readyReplicas": len(ready), "availableReplicas": len(ready)}
    numbers |= {"updatedReplicas": len(updated), "currentReplicas": len([pod for pod in pods if _of(pod) == current])}
    revisions = {"currentRevision": current, "updateRevision": update}
    seen = obj["metadata"]["generation"]
    store.status(obj, observedGeneration=seen, **numbers, **revisions)


def _step(store: Store, obj: Json, current: str, update: str) -> None:
    pods = {pod["metadata"]["name"]: pod for pod in _pods(store, obj)}
    names = [f"{obj['metadata']['name']}-{number}" for number in range(obj["spec"]["replicas"])]
    templates = {entry["metadata"]["name"]: entry["data"] for entry in owned(store, "controllerrevisions.apps", obj)}
    still_current = [pod for pod in pods.values() if _of(pod) == current != update]
    for number, name in enumerate(names):
        if name not in pods:
            revision = current if number < len(still_current) and current in templates else update
            failed = make_pod(store, obj, templates[revision]["spec"]["template"], name, **{HASH: revision})
            if failed:
                warn(store, obj, "FailedCreate", f"create Pod {name} in StatefulSet failed error: {failed}")
            return
        if not is_ready(pods[name]):
            return
    for name in reversed(list(pods)):
        if name not in names:
            _delete(store, pods[name])
            return
    if obj["spec"]["updateStrategy"]["type"] == "OnDelete":
        return
    for name in reversed(names):
        if _of(pods[name]) != update:
            _delete(store, pods[name])
            return


def sync_daemon_set(store: Store, obj: Json) -> None:
    """Keep one pod on each node, and update them one after the other."""
    update = _revision(store, obj)["metadata"]["name"]
    pods = {pod["metadata"]["name"]: pod for pod in _pods(store, obj)}
    names = [f"{obj['metadata']['name']}-{number}" for number in range(NODES)]
    for name in names:
        if name not in pods:
            failed = make_pod(store, obj, obj["spec"]["template"], name, **{HASH: update})
            if failed:
                warn(store, obj, "FailedCreate", f"Error creating: {failed}")
    by_hand = obj["spec"]["updateStrategy"]["type"] == "OnDelete"
    old = [pod for pod in pods.values() if _of(pod) != update]
    broken = [pod for pod in old if not is_ready(pod)]
    if not by_hand and broken:
        _delete(store, broken[0])
    elif not by_hand and old and len(pods) == NODES and all(map(is_ready, pods.values())):
        _delete(store, old[0])
    there = _pods(store, obj)
    ready = len([pod for pod in there if is_ready(pod)])
    numbers = {"desiredNumberScheduled": NODES, "currentNumberScheduled": len(there), "numberReady": ready}
    numbers |= {"numberAvailable": ready, "updatedNumberScheduled": len([pod for pod in there if _of(pod) == update])}
    seen = obj["metadata"]["generation"]
    store.status(obj, observedGeneration=seen, **numbers)


def sync_job(store: Store, obj: Json) -> None:
    """Run the pod of a Job once, and say how it ended."""
    status = copied(obj.get("status") or {})
    if any(entry["type"] in {"Complete", "Failed"} for entry in status.get("conditions", [])):
        return
    pods, name = owned(store, "pods", obj), obj["metadata"]["name"]
    uid = obj["metadata"]["uid"]
    started = status.setdefault("startTime", now())
    age = time.time() - datetime.fromisoformat(started).astimezone(UTC).timestamp()
    phases = [pod["status"].get("phase") for pod in pods]
    if not pods:
        labels = {
            f"{start}{entry}": value
            for start in ("", "batch.kubernetes.io/")
            for entry, value in {"job-name": name, "controller-uid": uid}.items()
        }
        failed = make_pod(store, obj, obj["spec"]["template"], "", **labels)
        if failed:
            warn(store, obj, "FailedCreate", f"Error creating: {failed}")
    if age > obj["spec"].get("activeDeadlineSeconds", 10**9):
        for pod in pods:
            _delete(store, pod)
        reason = ("DeadlineExceeded", "Job was active longer than specified deadline")
        status["conditions"] = [_end("FailureTarget", *reason), _end("Failed", *reason)]
    elif "Succeeded" in phases:
        reason = ("CompletionsReached", "Reached expected number of succeeded pods")
        status["conditions"] = [_end("SuccessCriteriaMet", *reason), _end("Complete", *reason)]
    elif phases.count("Failed") > obj["spec"]["backoffLimit"]:
        reason = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
        status["conditions"] = [_end("FailureTarget", *reason), _end("Failed", *reason)]
    counts = {"succeeded": phases.count("Succeeded"), "failed": phases.count("Failed")}
    store.status(obj, **{**status, **counts})


def _end(kind: str, reason: str, message: str) -> Json:
    return {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now()}
