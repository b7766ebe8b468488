"""A local API server with the controllers and the kubelet behind it, for tests without a cluster.

It speaks the documented API as far as the official clients and kubectl need it here. What it does not know is refused,
never invented.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from changewindow.systems.connection import Connection
from servers.kubernetes import live
from servers.kubernetes.answers import Api, ApiCall, Trouble, selected, taken_apart
from servers.kubernetes.deployments import sync_deployment, sync_replica_set
from servers.kubernetes.pods import Images, Kubelet
from servers.kubernetes.seen import REST, TICK, Seen, connection_to
from servers.kubernetes.sets import sync_daemon_set, sync_job, sync_stateful_set
from servers.kubernetes.store import SERVED, Json, Refusal, Store
from support.recording_server import Reply, Request, recording_server

__all__ = ["TOKEN", "ApiServer", "Images", "Trouble", "local", "running"]

TOKEN = "s3cret-of-the-cluster"
JSON = {"Content-Type": "application/json"}
CONTROLLERS: dict[str, Callable[[Store, Json], None]] = {
    "deployments.apps": sync_deployment,
    "replicasets.apps": sync_replica_set,
    "statefulsets.apps": sync_stateful_set,
    "daemonsets.apps": sync_daemon_set,
    "jobs.batch": sync_job,
}


@dataclass
class ApiServer(Seen):
    """A running server: what its cluster holds, and what shall go wrong."""

    url: str
    store: Store
    api: Api
    kubelet: Kubelet
    stopped: threading.Event

    @property
    def images(self) -> Images:
        """Return what becomes of containers by their image."""
        return self.kubelet.images

    def connection(self, name: str = "example_cluster", **extra: Any) -> Connection:
        """Return a connection to it, by its kube config."""
        return connection_to({"server": self.url}, TOKEN, name, **extra)

    def make(self, *manifests: Json) -> None:
        """Create objects as somebody would who uses kubectl."""
        with self.store.lock:
            for manifest in manifests:
                body, metadata = json.dumps(manifest).encode(), manifest["metadata"]
                group, _, version = manifest["apiVersion"].rpartition("/")
                plural = next(name for name, kind in SERVED[group, version].items() if kind == manifest["kind"])
                headers = {"User-Agent": "kubectl-create/v1"}
                self.api._post(
                    ApiCall("POST", "", {}, headers, body, group, version, plural, metadata.get("namespace", ""))
                )

    def edit(self, kind: str, namespace: str, name: str, do: Callable[[Json], Any]) -> Json:
        """Change an object as somebody else would."""
        return self.store.edit(kind, namespace, name, do)

    def get(self, kind: str, namespace: str, name: str) -> Json:
        """Return an object."""
        with self.store.lock:
            return self.store.get((kind, namespace, name))

    def each(self, kind: str, namespace: str = "") -> list[Json]:
        """Return all objects of a kind."""
        with self.store.lock:
            return list(self.store.each(kind, namespace))

    def control(self) -> None:
        """Let controllers and kubelet work until the end; where nothing happens they look seldom, which saves cores."""
        seen, due = 0, 0.0
        while not self.stopped.wait(TICK):
            with self.store.lock:
                if self.stopped.is_set():  # it may have been, while this waited for the lock
                    break
                if self.store.version != seen or time.monotonic() >= due:
                    seen = self.store.version
                    due = time.monotonic() + (0 if self.kubelet.is_busy() else REST)
                    self._tick()
        self.kubelet.end()

    def _tick(self) -> None:
        for kind, sync in CONTROLLERS.items():
            for obj in list(self.store.each(kind)):
                sync(self.store, obj)
        self.kubelet.tick()
        self._collect_garbage()

    def _collect_garbage(self) -> None:
        uids = {obj["metadata"]["uid"] for obj in self.store.objects.values()}
        for key, obj in list(self.store.objects.items()):
            owners = obj["metadata"].get("ownerReferences") or []
            if owners and not {entry["uid"] for entry in owners} & uids and "deletionTimestamp" not in obj["metadata"]:
                self.store.delete(key)


@dataclass(frozen=True)
class Web:
    """Speaks HTTP for the API."""

    api: Api

    def reply(self, request: Request) -> Reply:
        """Answer one request, with the trouble that it meets."""
        line = f"{request.method} {request.target}"
        self.api.lines.append(line)
        trouble = self.api.trouble(line)
        if trouble and trouble.status and not trouble.is_after:
            return _refused(trouble)
        query = dict(parse_qsl(request.target.partition("?")[2]))
        try:
            body = request.body.encode(errors="surrogateescape")
            call = taken_apart(request.method, request.path, query, request.headers, body=body)
            if call.is_watch:
                self.api.answer(ApiCall(**{**vars(call), "query": {}}))
                return Reply(200, self._watched(call), JSON)
            status, answer = self.api.answer(call)
        except Refusal as refusal:
            status, answer = refusal.code, refusal.status
        if trouble and trouble.status:
            return _refused(trouble)
        if isinstance(answer, str):
            return Reply(status, answer, {"Content-Type": "text/plain"})
        return Reply(status, json.dumps(answer), JSON)

    def _watched(self, call: ApiCall) -> Iterator[bytes]:
        """Give the events of a watch until it ends."""
        store, version = self.api.store, int(call.query.get("resourceVersion") or 0)
        ends = time.monotonic() + int(call.query.get("timeoutSeconds") or 30)
        while time.monotonic() < ends:
            try:
                with store.lock:
                    store.lock.wait_for(lambda seen=version: store.version > seen, 0.1)
                    events = store.since(version)
            except Refusal as refusal:
                yield _line({"type": "ERROR", "object": refusal.status})
                return
            for at, happened, key, obj in events:
                version = at
                if key[0] == call.kinds and call.namespace in {"", key[1]} and selected(obj, call.query):
                    yield _line({"type": happened, "object": obj})


def _line(event: Json) -> bytes:
    return json.dumps(event).encode() + b"\n"


def _refused(trouble: Trouble) -> Reply:
    status = Refusal(trouble.status, "Trouble", trouble.message).status
    return Reply(trouble.status, json.dumps(status), {**JSON, **trouble.headers})


@contextmanager
def running() -> Iterator[Seen]:
    """Give a local cluster, or the real one whose kube config CHANGEWINDOW_KUBECONFIG names."""
    path = os.environ.get("CHANGEWINDOW_KUBECONFIG")
    with live.running(Path(path)) if path else local() as cluster:
        yield cluster


@contextmanager
def local() -> Iterator[ApiServer]:
    """Give a cluster with the namespaces `default` and `shop`, and end all of it."""
    store = Store()
    kubelet = Kubelet(store)
    api = Api(store, kubelet, {TOKEN: "robot"})
    with recording_server(Web(api).reply, keeps_alive=True) as web:
        server = ApiServer(web.url, store, api, kubelet, threading.Event())
        for name in ("default", "shop"):
            server.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
            account = {"name": "default", "namespace": name}
            server.make({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
        controlling = threading.Thread(target=server.control, daemon=True)
        controlling.start()
        try:
            yield server
        finally:
            server.stopped.set()
            controlling.join()
