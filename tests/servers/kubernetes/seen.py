"""What tests want of a cluster, be it the local API server or a real one."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from changewindow.systems.connection import Connection
from servers.kubernetes.store import Json

TICK = 0.01
REST = 0.1
"""Seconds until the local cluster looks again where nothing has changed: what may be so by now, or another image."""


def connection_to(cluster: Json, token: str, name: str, **extra: Any) -> Connection:
    """Return a connection to a cluster, by its kube config."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "here", "cluster": cluster}],
        "users": [{"name": "robot", "user": {"token": token}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "robot"}}],
    }
    # the password is used by nobody; it lets tests find the token where it should not be
    return Connection(name, "kubernetes", password=token, extra={"kube_config": config, **extra})


class Seen(ABC):
    """A cluster with the namespaces `default` and `shop`."""

    @abstractmethod
    def connection(self, name: str = "example_cluster", **extra: Any) -> Connection:
        """Return a connection to it, by its kube config."""

    @abstractmethod
    def make(self, *manifests: Json) -> None:
        """Create objects as somebody would who uses kubectl."""

    @abstractmethod
    def edit(self, kind: str, namespace: str, name: str, do: Callable[[Json], Any]) -> Json:
        """Change an object as somebody else would."""

    @abstractmethod
    def get(self, kind: str, namespace: str, name: str) -> Json:
        """Return an object."""

    @abstractmethod
    def each(self, kind: str, namespace: str = "") -> list[Json]:
        """Return all objects of a kind."""

    def settle(self, done: Callable[[], Any], seconds: float = 10) -> Any:
        """Wait until something is so."""
        deadline = time.monotonic() + seconds
        while not (obj := done()):
            assert time.monotonic() < deadline, "the cluster did not come to it"
            time.sleep(TICK)
        return obj

    def is_settled(self) -> bool:
        """Return whether all deployments are as wanted, with all their pods."""
        return all(
            entry.get("status", {}).get("observedGeneration") == entry["metadata"]["generation"]
            and entry["status"].get("readyReplicas", 0)
            == entry["status"].get("replicas", 0)
            == entry["spec"]["replicas"]
            and entry["status"].get("updatedReplicas", 0) == entry["spec"]["replicas"]
            for kind in ("deployments.apps", "statefulsets.apps")
            for entry in self.each(kind)
        )
