"""Keeps the objects of the local API server: versions, generations, who manages what, and the history for watches."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from servers.kubernetes.patches import copied, managed_by_update, tidy

Json = dict[str, Any]
Key = tuple[str, str, str]
"""Kind of resource (`deployments.apps`), namespace, name."""

SERVED = {
    ("", "v1"): {"configmaps": "ConfigMap", "events": "Event", "namespaces": "Namespace", "pods": "Pod"}
    | {"resourcequotas": "ResourceQuota", "secrets": "Secret", "serviceaccounts": "ServiceAccount"}
    | {"services": "Service"},
    ("apps", "v1"): {"deployments": "Deployment", "replicasets": "ReplicaSet", "statefulsets": "StatefulSet"}
    | {"daemonsets": "DaemonSet", "controllerrevisions": "ControllerRevision"},
    ("batch", "v1"): {"jobs": "Job", "cronjobs": "CronJob"},
    ("autoscaling", "v2"): {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    ("networking.k8s.io", "v1"): {"ingresses": "Ingress", "networkpolicies": "NetworkPolicy"},
    ("rbac.authorization.k8s.io", "v1"): {"roles": "Role", "rolebindings": "RoleBinding"},
    ("policy", "v1"): {"poddisruptionbudgets": "PodDisruptionBudget"},
}
GENERATED = {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "PodDisruptionBudget"}


class Refusal(Exception):
    """A request that the server does not fulfil, as the Status it answers with."""

    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.status = {"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure"}
        self.status |= {"message": message, "reason": reason, "code": code, "details": details}


def now() -> str:
    """Return the time as the API writes it, in whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plural_of(kind: str) -> str:
    """Return the kind of resource that a kind of object is: `deployments.apps`."""
    for (group, _), kinds in SERVED.items():
        for plural, entry in kinds.items():
            if entry == kind:
                return f"{plural}.{group}" if group else plural
    raise Refusal(404, "NotFound", f"no kind {kind}")


@dataclass
class Store:
    """All objects, behind one lock that controllers and requests share."""

    lock: threading.Condition = field(default_factory=lambda: threading.Condition(threading.RLock()))
    version: int = 100
    oldest: int = 100
    """The oldest version from which a watch may go on."""
    objects: dict[Key, Json] = field(default_factory=dict)
    history: list[tuple[int, str, Key, Json]] = field(default_factory=list)

    def get(self, key: Key) -> Json:
        """Return a copy of an object."""
        obj = self.objects.get(key)
        if obj is None:
            raise Refusal(404, "NotFound", f'{key[0]} "{key[2]}" not found', name=key[2], kind=key[0].split(".")[0])
        return copied(obj)

    def each(self, kind: str, namespace: str = "", owner: str = "") -> Iterator[Json]:
        """Yield copies of all objects of a kind, by namespace and name; those alone that an owner with this uid has."""
        for key in sorted(key for key in self.objects if key[0] == kind and namespace in {"", key[1]}):
            if not owner or _owner(self.objects[key]) == owner:
                yield copied(self.objects[key])

    def create(self, made: Json, manager: str = "controller") -> Json:
        """Keep a new object."""
        made = tidy(copied(made))
        metadata, key = made["metadata"], self._key(made)
        if key in self.objects:
            raise Refusal(409, "AlreadyExists", f'{key[0]} "{key[2]}" already exists')
        if key[1] and ("namespaces", "", key[1]) not in self.objects:
            raise Refusal(404, "NotFound", f'namespaces "{key[1]}" not found')
        metadata |= {"uid": str(uuid4()), "creationTimestamp": now()}
        if made["kind"] in GENERATED:
            metadata["generation"] = 1
        metadata.setdefault("managedFields", managed_by_update({}, made, [], (manager, "")))
        return self._keep("ADDED", key, made)

    def replace(self, key: Key, new: Json, manager: str = "controller", *, subresource: str = "") -> Json:
        """Keep a new state of an object: the whole of it, or what a controller says in its status."""
        old, new = self.get(key), tidy(copied(new))
        expected = new["metadata"].get("resourceVersion")
        if expected and expected != old["metadata"]["resourceVersion"]:
            message = "the object has been modified; please apply your changes to the latest version and try again"
            raise Refusal(409, "Conflict", f'Operation cannot be fulfilled on {key[0]} "{key[2]}": {message}')
        for name in ("uid", "creationTimestamp", "generation", "resourceVersion"):
            if name in old["metadata"]:
                new["metadata"][name] = old["metadata"][name]
        if "managedFields" not in new["metadata"] or new["metadata"]["managedFields"] == managed(old):
            new["metadata"]["managedFields"] = managed_by_update(old, new, managed(old), (manager, subresource))
        if _without_managers(new) == _without_managers(old):
            return old
        if new["kind"] in GENERATED and new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] += 1
        return self._keep("MODIFIED", key, new)

    def status(self, obj: Json, **status: Any) -> None:
        """Write the status of an object, as a controller does."""
        key = self._key(obj)
        if key in self.objects:
            fresh = self.get(key)
            wanted = tidy({name: value for name, value in status.items() if value not in (None, 0, [])})
            if fresh.get("status", {}) != wanted:
                self.replace(key, {**fresh, "status": wanted}, subresource="status")

    def edit(self, kind: str, namespace: str, name: str, do: Callable[[Json], Any]) -> Json:
        """Change an object as somebody else would."""
        with self.lock:
            obj = self.get((kind, namespace, name))
            do(obj)
            return self.replace((kind, namespace, name), obj, "somebody")

    def remove(self, key: Key) -> None:
        """Forget an object."""
        gone = self.objects.pop(key, None)
        if gone is not None:
            self._record("DELETED", key, gone)

    def delete(self, key: Key, uid: str = "") -> Json:
        """Delete an object; a pod first has to end, and what it owns goes later."""
        obj = self.get(key)
        if uid and uid != obj["metadata"]["uid"]:
            raise Refusal(409, "Conflict", f"Precondition failed: UID in precondition: {uid}")
        if key[0] == "pods" and "deletionTimestamp" not in obj["metadata"]:
            obj["metadata"]["deletionTimestamp"] = now()
            self._keep("MODIFIED", key, obj)
        elif key[0] != "pods":
            self.remove(key)
            if key[0] == "namespaces":
                for inside in [entry for entry in self.objects if entry[1] == key[2]]:
                    self.remove(inside)
        return obj

    def since(self, version: int) -> list[tuple[int, str, Key, Json]]:
        """Return what happened after a version."""
        if version < self.oldest:
            raise Refusal(410, "Expired", f"too old resource version: {version} ({self.version})")
        return [entry for entry in self.history if entry[0] > version]

    def compact(self) -> None:
        """Forget the history: watches and continued lists from before are gone."""
        with self.lock:
            self.version += 1
            self.oldest, self.history = self.version, []

    def _keep(self, happened: str, key: Key, new: Json) -> Json:
        self.objects[key] = new
        self._record(happened, key, new)
        return copied(new)

    def _record(self, happened: str, key: Key, new: Json) -> None:
        self.version += 1
        new["metadata"]["resourceVersion"] = str(self.version)
        self.history.append((self.version, happened, key, copied(new)))
        self.lock.notify_all()

    def _key(self, obj: Json) -> Key:
        metadata = obj["metadata"]
        return plural_of(obj["kind"]), metadata.get("namespace", ""), metadata["name"]


def _owner(obj: Json) -> str:
    references = obj["metadata"].get("ownerReferences") or []
    return next((str(entry["uid"]) for entry in references if entry.get("controller")), "")


def managed(obj: Json) -> list[Json]:
    """Return who manages which fields of an object."""
    return list(obj["metadata"].get("managedFields") or [])


def _without_managers(obj: Json) -> Json:
    return {**obj, "metadata": {name: entry for name, entry in obj["metadata"].items() if name != "managedFields"}}
