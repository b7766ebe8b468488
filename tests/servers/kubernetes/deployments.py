"""Does what the controllers of Deployments and ReplicaSets do: revisions, rolling updates, conditions, deadlines."""

import copy
import hashlib
import json
from datetime import UTC, datetime

from servers.kubernetes.pods import is_ready, make_pod, owned, owner_reference, share
from servers.kubernetes.store import Json, Store, now, plural_of

REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"


def sync_replica_set(store: Store, found: Json) -> None:
    """Create or delete pods until there are as many as wanted; say in the status how that goes."""
    pods = [pod for pod in owned(store, "pods", found) if "deletionTimestamp" not in pod["metadata"]]
    wanted, failed = found["spec"].get("replicas", 0), ""
    for _ in range(wanted - len(pods)):
        failed = make_pod(store, found, found["spec"]["template"])
        if failed:
            break
    # those that are not ready go first
    for pod in sorted(pods, key=is_ready)[: max(0, len(pods) - wanted)]:
        store.delete(("pods", pod["metadata"]["namespace"], pod["metadata"]["name"]))
    pods = [pod for pod in owned(store, "pods", found) if "deletionTimestamp" not in pod["metadata"]]
    ready = len([pod for pod in pods if is_ready(pod)])
    conditions = [_condition(found, "ReplicaFailure", "True", "FailedCreate", message=failed)] if failed else []
    numbers = {"replicas": len(pods), "readyReplicas": ready, "availableReplicas": ready}
    seen = found["metadata"]["generation"]
    store.status(found, observedGeneration=seen, conditions=conditions, **numbers)


def sync_deployment(store: Store, found: Json) -> None:
    """Take one turn of a rollout."""
    sets = owned(store, "replicasets.apps", found)
    new = next((one for one in sets if _template(one) == _template(found)), None)
    is_paused = found["spec"].get("paused", False)
    if not is_paused:
        new = _new_set(store, found, sets, new)
        sets = owned(store, "replicasets.apps", found)
    wanted, old = found["spec"]["replicas"], [one for one in sets if new is None or not _is(one, new)]
    if is_paused:
        pass
    elif found["spec"]["strategy"]["type"] == "Recreate":
        _recreate(store, wanted, new, old)
    else:
        _roll(store, found, new, old)
    sets = owned(store, "replicasets.apps", found)
    _say(store, found, next((one for one in sets if new and _is(one, new)), None), sets)
    _forget_old_sets(store, found, new)


def _template(found: Json) -> Json:
    made = copy.deepcopy(found["spec"]["template"])
    (made.get("metadata", {}).get("labels") or {}).pop(HASH, None)
    return made


def _is(one: Json, other: Json) -> bool:
    return bool(one["metadata"]["uid"] == other["metadata"]["uid"])


def _revision(found: Json) -> int:
    return int((found["metadata"].get("annotations") or {}).get(REVISION, 0))


def _new_set(store: Store, found: Json, sets: list[Json], new: Json | None) -> Json:
    """Return the ReplicaSet of the present template, made where there is none, with the highest revision."""
    highest = max([_revision(one) for one in sets if new is None or not _is(one, new)], default=0)
    if new is None:
        text = json.dumps(_template(found), sort_keys=True)
        code = hashlib.sha256(text.encode()).hexdigest()[:9]
        template = _template(found)
        template["metadata"]["labels"][HASH] = code
        metadata = {"name": f"{found['metadata']['name']}-{code}", "namespace": found["metadata"]["namespace"]}
        metadata |= {"labels": template["metadata"]["labels"], "ownerReferences": [owner_reference(found)]}
        metadata["annotations"] = {REVISION: str(highest + 1)}
        selector = {"matchLabels": {**found["spec"]["selector"].get("matchLabels", {}), HASH: code}}
        spec = {"replicas": 0, "selector": selector, "template": template}
        new = store.create({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec})
    if _revision(new) <= highest:
        new["metadata"]["annotations"][REVISION] = str(highest + 1)
        new = _write(store, new)
    annotations = found["metadata"].setdefault("annotations", {})
    if annotations.get(REVISION) != new["metadata"]["annotations"][REVISION]:
        annotations[REVISION] = new["metadata"]["annotations"][REVISION]
        found |= _write(store, found)
    return new


def _roll(store: Store, found: Json, new: Json, old: list[Json]) -> None:
    wanted, limits = found["spec"]["replicas"], found["spec"]["strategy"].get("rollingUpdate") or {}
    surge = share(limits.get("maxSurge", "25%"), wanted, up=True)
    missing = share(limits.get("maxUnavailable", "25%"), wanted, up=False) or (0 if surge else 1)
    total = sum(one["spec"]["replicas"] for one in [new, *old])
    if new["spec"]["replicas"] > wanted:
        _scale(store, new, wanted)
        return
    room = min(wanted + surge - total, wanted - new["spec"]["replicas"])
    if room > 0:
        _scale(store, new, new["spec"]["replicas"] + room)
        return
    unavailable = new["spec"]["replicas"] - new.get("status", {}).get("availableReplicas", 0)
    spare = total - (wanted - missing) - unavailable
    for one in sorted(old, key=lambda old_set: old_set["metadata"]["creationTimestamp"]):
        broken = one["spec"]["replicas"] - one.get("status", {}).get("availableReplicas", 0)
        less = min(one["spec"]["replicas"], max(spare, 0), broken) or min(one["spec"]["replicas"], max(spare, 0))
        spare -= less
        if less:
            _scale(store, one, one["spec"]["replicas"] - less)


def _recreate(store: Store, wanted: int, new: Json, old: list[Json]) -> None:
    for one in old:
        _scale(store, one, 0)
    if not any(owned(store, "pods", one) for one in old):
        _scale(store, new, wanted)


def _scale(store: Store, found: Json, replicas: int) -> None:
    found["spec"]["replicas"] = replicas
    _write(store, found)


def _write(store: Store, found: Json) -> Json:
    key = (plural_of(found["kind"]), found["metadata"]["namespace"], found["metadata"]["name"])
    fresh = store.get(key)
    fresh["metadata"]["annotations"] = found["metadata"].get("annotations", {})
    if found["kind"] == "ReplicaSet":
        fresh["spec"]["replicas"] = found["spec"]["replicas"]
    return store.replace(key, fresh)


def _forget_old_sets(store: Store, found: Json, new: Json | None) -> None:
    others = [one for one in owned(store, "replicasets.apps", found) if not _is(one, new or one)]
    idle = [one for one in others if not one["spec"]["replicas"]]
    idle.sort(key=_revision)
    for one in idle[: max(0, len(idle) - found["spec"]["revisionHistoryLimit"])]:
        store.delete(("replicasets.apps", one["metadata"]["namespace"], one["metadata"]["name"]))


def _say(store: Store, found: Json, new: Json | None, sets: list[Json]) -> None:
    """Write the status; progress is what became more since the last one, as the real controller judges it."""
    before = found.get("status") or {}

    def total(name: str) -> int:
        return sum((one.get("status") or {}).get(name, 0) for one in sets)

    numbers = {name: total(name) for name in ("replicas", "readyReplicas", "availableReplicas")}
    numbers["updatedReplicas"] = ((new or {}).get("status") or {}).get("replicas", 0)
    numbers["unavailableReplicas"] = max(0, found["spec"]["replicas"] - numbers["availableReplicas"])
    progress = _progress(found, new, before, numbers)
    is_available = numbers["unavailableReplicas"] <= _may_miss(found)
    available = ("True", "MinimumReplicasAvailable") if is_available else ("False", "MinimumReplicasUnavailable")
    conditions = [_condition(found, "Available", *available), progress]
    for one in sets:
        failures = (one.get("status") or {}).get("conditions") or []
        conditions += [
            _condition(found, "ReplicaFailure", "True", fail["reason"], message=fail["message"]) for fail in failures
        ]
    seen = found["metadata"]["generation"]
    store.status(found, observedGeneration=seen, conditions=conditions, **numbers)


def _may_miss(found: Json) -> int:
    limits = found["spec"]["strategy"].get("rollingUpdate") or {}
    return share(limits.get("maxUnavailable", 0), found["spec"]["replicas"], up=False)


def _progress(found: Json, new: Json | None, before: Json, numbers: dict[str, int]) -> Json:
    known = [one for one in before.get("conditions") or [] if one["type"] == "Progressing"]
    last = known[0] if known else None
    wanted = found["spec"]["replicas"]
    if found["spec"].get("paused"):
        return _condition(found, "Progressing", "Unknown", "DeploymentPaused")
    is_complete = numbers["updatedReplicas"] == numbers["replicas"] == numbers["availableReplicas"] == wanted
    if is_complete and before.get("observedGeneration") == found["metadata"]["generation"]:
        return _condition(found, "Progressing", "True", "NewReplicaSetAvailable")
    older = before.get("replicas", 0) - before.get("updatedReplicas", 0)
    grew = any(numbers[name] > before.get(name, 0) for name in ("updatedReplicas", "readyReplicas"))
    if last is None or grew or numbers["replicas"] - numbers["updatedReplicas"] < older:
        return {**_condition(found, "Progressing", "True", "ReplicaSetUpdated"), "lastUpdateTime": now()}
    if last["reason"] == "NewReplicaSetAvailable" and before.get("observedGeneration") != _generation(found):
        return {**_condition(found, "Progressing", "True", "NewReplicaSetCreated"), "lastUpdateTime": now()}
    if last["reason"] in {"ProgressDeadlineExceeded", "NewReplicaSetAvailable"}:
        return dict(last)
    age = datetime.now(UTC) - datetime.fromisoformat(last["lastUpdateTime"])
    if age.total_seconds() > found["spec"]["progressDeadlineSeconds"]:
        says = f'ReplicaSet "{new["metadata"]["name"] if new else ""}" has timed out progressing.'
        return _condition(found, "Progressing", "False", "ProgressDeadlineExceeded", message=says)
    return dict(last)


def _generation(found: Json) -> int:
    return int(found["metadata"]["generation"])


def _condition(found: Json, kind: str, status: str, reason: str, *, message: str = "") -> Json:
    """Return a condition, with the times of the one that says the same already."""
    for one in (found.get("status") or {}).get("conditions") or []:
        if (one["type"], one["status"], one["reason"]) == (kind, status, reason):
            return dict(one)
    times = {"lastUpdateTime": now(), "lastTransitionTime": now()}
    return {"type": kind, "status": status, "reason": reason, "message": message, **times}
