"""Does what the controllers of Deployments and ReplicaSets do: revisions, rolling updates, conditions, deadlines."""

import hashlib
import json
from datetime import UTC, datetime

from servers.kubernetes.patches import copied
from servers.kubernetes.pods import is_ready, make_pod, owned, owner_reference, share
from servers.kubernetes.store import Json, Store, now, plural_of

REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"


def sync_replica_set(store: Store, obj: Json) -> None:
    """Create or delete pods until there are as many as wanted; say in the status how that goes."""
    pods = [pod for pod in owned(store, "pods", obj) if "deletionTimestamp" not in pod["metadata"]]
    wanted, failed = obj["spec"].get("replicas", 0), ""
    for _ in range(wanted - len(pods)):
        failed = make_pod(store, obj, obj["spec"]["template"])
        if failed:
            break
    # those that are not ready go first
    for pod in sorted(pods, key=is_ready)[: max(0, len(pods) - wanted)]:
        store.delete(("pods", pod["metadata"]["namespace"], pod["metadata"]["name"]))
    pods = [pod for pod in owned(store, "pods", obj) if "deletionTimestamp" not in pod["metadata"]]
    ready = len([pod for pod in pods if is_ready(pod)])
    conditions = [_condition(obj, "ReplicaFailure", "True", "FailedCreate", message=failed)] if failed else []
    numbers = {"replicas": len(pods), "readyReplicas": ready, "availableReplicas": ready}
    seen = obj["metadata"]["generation"]
    store.status(obj, observedGeneration=seen, conditions=conditions, **numbers)


def sync_deployment(store: Store, obj: Json) -> None:
    """Take one step of a rollout."""
    sets = owned(store, "replicasets.apps", obj)
    new = next((entry for entry in sets if _template(entry) == _template(obj)), None)
    is_paused = obj["spec"].get("paused", False)
    if not is_paused:
        new = _new_set(store, obj, sets, new)
        sets = owned(store, "replicasets.apps", obj)
    wanted, old = obj["spec"]["replicas"], [entry for entry in sets if new is None or not _is(entry, new)]
    if is_paused:
        pass
    elif obj["spec"]["strategy"]["type"] == "Recreate":
        _recreate(store, wanted, new, old)
    else:
        _roll(store, obj, new, old)
    sets = owned(store, "replicasets.apps", obj)
    _say(store, obj, next((entry for entry in sets if new and _is(entry, new)), None), sets)
    _forget_old_sets(store, obj, new)


def _template(obj: Json) -> Json:
    made = copied(obj["spec"]["template"])
    (made.get("metadata", {}).get("labels") or {}).pop(HASH, None)
    return made


def _is(entry: Json, other: Json) -> bool:
    return bool(entry["metadata"]["uid"] == other["metadata"]["uid"])


def _revision(obj: Json) -> int:
    return int((obj["metadata"].get("annotations") or {}).get(REVISION, 0))


def _new_set(store: Store, obj: Json, sets: list[Json], new: Json | None) -> Json:
    """Return the ReplicaSet of the present template, made where there is none, with the highest revision."""
    highest = max([_revision(entry) for entry in sets if new is None or not _is(entry, new)], default=0)
    if new is None:
        text = json.dumps(_template(obj), sort_keys=True)
        code = hashlib.sha256(text.encode()).hexdigest()[:9]
        template = _template(obj)
        template["metadata"]["labels"][HASH] = code
        metadata = {"name": f"{obj['metadata']['name']}-{code}", "namespace": obj["metadata"]["namespace"]}
        metadata |= {"labels": template["metadata"]["labels"], "ownerReferences": [owner_reference(obj)]}
        metadata["annotations"] = {REVISION: str(highest + 1)}
        selector = {"matchLabels": {**obj["spec"]["selector"].get("matchLabels", {}), HASH: code}}
        spec = {"replicas": 0, "selector": selector, "template": template}
        new = store.create({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec})
    if _revision(new) <= highest:
        new["metadata"]["annotations"][REVISION] = str(highest + 1)
        new = _write(store, new)
    annotations = obj["metadata"].setdefault("annotations", {})
    if annotations.get(REVISION) != new["metadata"]["annotations"][REVISION]:
        annotations[REVISION] = new["metadata"]["annotations"][REVISION]
        obj |= _write(store, obj)
    return new


def _roll(store: Store, obj: Json, new: Json, old: list[Json]) -> None:
    wanted, limits = obj["spec"]["replicas"], obj["spec"]["strategy"].get("rollingUpdate") or {}
    surge = share(limits.get("maxSurge", "25%"), wanted, up=True)
    missing = share(limits.get("maxUnavailable", "25%"), wanted, up=False) or (0 if surge else 1)
    total = sum(entry["spec"]["replicas"] for entry in [new, *old])
    if new["spec"]["replicas"] > wanted:
        _scale(store, new, wanted)
        return
    room = min(wanted + surge - total, wanted - new["spec"]["replicas"])
    if room > 0:
        _scale(store, new, new["spec"]["replicas"] + room)
        return
    unavailable = new["spec"]["replicas"] - new.get("status", {}).get("availableReplicas", 0)
    spare = total - (wanted - missing) - unavailable
    for entry in sorted(old, key=lambda old_set: old_set["metadata"]["creationTimestamp"]):
        broken = entry["spec"]["replicas"] - entry.get("status", {}).get("availableReplicas", 0)
        less = min(entry["spec"]["replicas"], max(spare, 0), broken) or min(entry["spec"]["replicas"], max(spare, 0))
        spare -= less
        if less:
            _scale(store, entry, entry["spec"]["replicas"] - less)


def _recreate(store: Store, wanted: int, new: Json, old: list[Json]) -> None:
    for entry in old:
        _scale(store, entry, 0)
    if not any(owned(store, "pods", entry) for entry in old):
        _scale(store, new, wanted)


def _scale(store: Store, obj: Json, replicas: int) -> None:
    obj["spec"]["replicas"] = replicas
    _write(store, obj)


def _write(store: Store, obj: Json) -> Json:
    key = (plural_of(obj["kind"]), obj["metadata"]["namespace"], obj["metadata"]["name"])
    fresh = store.get(key)
    fresh["metadata"]["annotations"] = obj["metadata"].get("annotations", {})
    if obj["kind"] == "ReplicaSet":
        fresh["spec"]["replicas"] = obj["spec"]["replicas"]
    return store.replace(key, fresh)


def _forget_old_sets(store: Store, obj: Json, new: Json | None) -> None:
    others = [entry for entry in owned(store, "replicasets.apps", obj) if not _is(entry, new or entry)]
    idle = [entry for entry in others if not entry["spec"]["replicas"]]
    idle.sort(key=_revision)
    for entry in idle[: max(0, len(idle) - obj["spec"]["revisionHistoryLimit"])]:
        store.delete(("replicasets.apps", entry["metadata"]["namespace"], entry["metadata"]["name"]))


def _say(store: Store, obj: Json, new: Json | None, sets: list[Json]) -> None:
    """Write the status; progress is what became more since the last one, as the real controller judges it."""
    before = obj.get("status") or {}

    def total(name: str) -> int:
        return sum((entry.get("status") or {}).get(name, 0) for entry in sets)

    numbers = {name: total(name) for name in ("replicas", "readyReplicas", "availableReplicas")}
    numbers["updatedReplicas"] = ((new or {}).get("status") or {}).get("replicas", 0)
    numbers["unavailableReplicas"] = max(0, obj["spec"]["replicas"] - numbers["availableReplicas"])
    progress = _progress(obj, new, before, numbers)
    is_available = numbers["unavailableReplicas"] <= _may_miss(obj)
    available = ("True", "MinimumReplicasAvailable") if is_available else ("False", "MinimumReplicasUnavailable")
    conditions = [_condition(obj, "Available", *available), progress]
    for entry in sets:
        failures = (entry.get("status") or {}).get("conditions") or []
        conditions += [
            _condition(obj, "ReplicaFailure", "True", fail["reason"], message=fail["message"]) for fail in failures
        ]
    seen = obj["metadata"]["generation"]
    store.status(obj, observedGeneration=seen, conditions=conditions, **numbers)


def _may_miss(obj: Json) -> int:
    limits = obj["spec"]["strategy"].get("rollingUpdate") or {}
    return share(limits.get("maxUnavailable", 0), obj["spec"]["replicas"], up=False)


def _progress(obj: Json, new: Json | None, before: Json, numbers: dict[str, int]) -> Json:
    known = [entry for entry in before.get("conditions") or [] if entry["type"] == "Progressing"]
    last = known[0] if known else None
    wanted = obj["spec"]["replicas"]
    if obj["spec"].get("paused"):
        return _condition(obj, "Progressing", "Unknown", "DeploymentPaused")
    is_complete = numbers["updatedReplicas"] == numbers["replicas"] == numbers["availableReplicas"] == wanted
    if is_complete and before.get("observedGeneration") == obj["metadata"]["generation"]:
        return _condition(obj, "Progressing", "True", "NewReplicaSetAvailable")
    older = before.get("replicas", 0) - before.get("updatedReplicas", 0)
    grew = any(numbers[name] > before.get(name, 0) for name in ("updatedReplicas", "readyReplicas"))
    if last is None or grew or numbers["replicas"] - numbers["updatedReplicas"] < older:
        return {**_condition(obj, "Progressing", "True", "ReplicaSetUpdated"), "lastUpdateTime": now()}
    if last["reason"] == "NewReplicaSetAvailable" and before.get("observedGeneration") != _generation(obj):
        return {**_condition(obj, "Progressing", "True", "NewReplicaSetCreated"), "lastUpdateTime": now()}
    if last["reason"] in {"ProgressDeadlineExceeded", "NewReplicaSetAvailable"}:
        return dict(last)
    age = datetime.now(UTC) - datetime.fromisoformat(last["lastUpdateTime"])
    if age.total_seconds() > obj["spec"]["progressDeadlineSeconds"]:
        message = f'ReplicaSet "{new["metadata"]["name"] if new else ""}" has timed out progressing.'
        return _condition(obj, "Progressing", "False", "ProgressDeadlineExceeded", message=message)
    return dict(last)


def _generation(obj: Json) -> int:
    return int(obj["metadata"]["generation"])


def _condition(obj: Json, kind: str, status: str, reason: str, *, message: str = "") -> Json:
    """Return a condition, with the times of the one that says the same already."""
    for entry in (obj.get("status") or {}).get("conditions") or []:
        if (entry["type"], entry["status"], entry["reason"]) == (kind, status, reason):
            return dict(entry)
    times = {"lastUpdateTime": now(), "lastTransitionTime": now()}
    return {"type": kind, "status": status, "reason": reason, "message": message, **times}
