"""A real cluster that tests play in, such as tests/live/cluster.sh starts; each test gets a new namespace `shop`."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from changewindow.systems.connection import Connection
from changewindow.systems.kubernetes.client import Content, api, request
from changewindow.systems.kubernetes.resource import Json, Resource, core
from servers.kubernetes.seen import Seen, connection_to
from servers.kubernetes.store import SERVED

RBAC = "rbac.authorization.k8s.io"
KINDS = {**SERVED, (RBAC, "v1"): {"roles": "Role", "rolebindings": "RoleBinding"}}
KINDS[RBAC, "v1"]["clusterrolebindings"] = "ClusterRoleBinding"
OURS = {"changewindow.test/made": "by-its-tests"}
"""The label of namespaces that tests make; no other one is ever deleted."""
PATIENCE = 120.0
"""Seconds: containers really start and end here."""


@dataclass
class LiveCluster(Seen):
    """A cluster behind an administrator's kube config."""

    path: Path
    api: Any

    def connection(self, name: str = "example_cluster", **extra: Any) -> Connection:
        """Return a connection to it whose account may do everything."""
        return self.robot("admin", name=name, **extra)

    def robot(self, account: str, name: str = "example_cluster", **extra: Any) -> Connection:
        """Return a connection as a service account of the shop."""
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token = self.send("POST", core("serviceaccounts", "shop", account, "token"), request)["status"]["token"]
        known = yaml.safe_load(self.path.read_text())["clusters"][0]["cluster"]
        return connection_to(known, token, name, **extra)

    def employ(self, account: str, *rules: Json) -> None:
        """Create a service account of the shop that may do what the rules say; without any, everything."""
        self.make(_named("v1", "ServiceAccount", account))
        subject = {"kind": "ServiceAccount", "name": account, "namespace": "shop"}
        bound = {"roleRef": {"apiGroup": RBAC, "kind": "Role", "name": account}, "subjects": [subject]}
        if rules:
            self.make({**_named(f"{RBAC}/v1", "Role", account), "rules": [*rules]})
            self.make({**_named(f"{RBAC}/v1", "RoleBinding", account), **bound})
            return
        bound["roleRef"] |= {"kind": "ClusterRole", "name": "cluster-admin"}
        binding = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": f"live-{account}"}}
        self._unbind(account)
        self.make({**binding, **bound})

    def make(self, *manifests: Json) -> None:
        """Create objects as somebody would who uses kubectl."""
        for manifest in manifests:
            group, _, version = manifest["apiVersion"].rpartition("/")
            plural = next(name for name, kind in KINDS[group, version].items() if kind == manifest["kind"])
            inside = manifest["metadata"].get("namespace", "")
            self.send("POST", Resource(group, version, plural, inside), manifest)

    def edit(self, kind: str, namespace: str, name: str, do: Callable[[Json], Any]) -> Json:
        """Change an object as somebody else would, who tries again when a controller was faster."""
        made: Json = {}
        while not made or made.get("code") == 409:
            obj = self.get(kind, namespace, name)
            do(obj)
            made = self.send("PUT", _resource(kind, namespace, name), obj, passes=(409,))
        return made

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object."""
        self.send("DELETE", _resource(kind, namespace, name))

    def get(self, kind: str, namespace: str, name: str) -> Json:
        """Return an object."""
        return self.send("GET", _resource(kind, namespace, name))

    def each(self, kind: str, namespace: str = "") -> list[Json]:
        """Return all objects of a kind."""
        return [*self.send("GET", _resource(kind, namespace))["items"]]

    def settle(self, done: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """Wait until something is so."""
        return super().settle(done, seconds)

    def send(self, method: str, resource: Resource, body: Json | None = None, *, passes: tuple[int, ...] = ()) -> Json:
        """Return the answer to a request, which succeeds or has one of the other statuses."""
        reply = request(self.api, method, resource, Content(body), parameters={"fieldManager": "somebody"})
        assert reply.status in {200, 201, 202, *passes}, f"{method} {resource}: {reply.status} {reply.text}"
        answer: Json = json.loads(reply.text)
        return answer

    def clear(self) -> None:
        """Delete what tests made, and wait until it is gone."""
        for name in self._namespaces():
            self.send("DELETE", core("namespaces", name=name), passes=(404, 409))
        self.settle(lambda: not self._namespaces())
        self._unbind("admin")

    def _unbind(self, account: str) -> None:
        self.send("DELETE", Resource(RBAC, "v1", "clusterrolebindings", name=f"live-{account}"), passes=(404,))

    def _namespaces(self) -> set[str]:
        obj = [entry["metadata"] for entry in self.each("namespaces")]
        return {entry["name"] for entry in obj if OURS.items() <= entry.get("labels", {}).items()}


@contextmanager
def running(path: Path) -> Iterator[LiveCluster]:
    """Give a cluster with an empty namespace `shop`, and delete that in the end; one of somebody else is left alone."""
    cluster = LiveCluster(path, api(Connection("admin", "kubernetes", extra={"kube_config_path": str(path)})))
    cluster.clear()
    cluster.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": OURS}})
    cluster.settle(lambda: cluster.each("serviceaccounts", "shop"))
    cluster.settle(lambda: cluster.each("configmaps", "shop"))  # the certificate that every pod mounts
    cluster.employ("admin")
    yield cluster
    cluster.clear()


def _named(version: str, kind: str, name: str) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}}


def _resource(kind: str, namespace: str, name: str = "") -> Resource:
    plural, _, group = kind.partition(".")
    version = next(version for known, version in KINDS if known == group)
    return Resource(group, version, plural, namespace, name)
