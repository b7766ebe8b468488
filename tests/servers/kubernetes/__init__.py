"""A local API server with the controllers and the kubelet behind it, for tests without a cluster.

It speaks the documented API as far as the official clients and kubectl need it here. What it does not know is refused,
never invented.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from changewindow.systems.connection import Connection
from servers.kubernetes import live
from servers.kubernetes.answers import Api, Asked, Trouble, selected, taken_apart
from servers.kubernetes.deployments import sync_deployment, sync_replica_set
from servers.kubernetes.pods import Images, Kubelet
from servers.kubernetes.seen import TICK, Seen, connection_to
from servers.kubernetes.sets import sync_daemon_set, sync_job, sync_stateful_set
from servers.kubernetes.store import SERVED, Json, Refusal, Store

__all__ = ["TOKEN", "ApiServer", "Images", "Trouble", "local", "running"]

TOKEN = "s3cret-of-the-cluster"
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
                    Asked("POST", "", {}, headers, body, group, version, plural, metadata.get("namespace", ""))
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
        """Let controllers and kubelet work until the end."""
        while not self.stopped.wait(TICK):
            with self.store.lock:
                self._tick()
        self.kubelet.end()

    def _tick(self) -> None:
        for kind, sync in CONTROLLERS.items():
            for found in list(self.store.each(kind)):
                sync(self.store, found)
        self.kubelet.tick()
        self._collect_garbage()

    def _collect_garbage(self) -> None:
        uids = {found["metadata"]["uid"] for found in self.store.objects.values()}
        for key, found in list(self.store.objects.items()):
            owners = found["metadata"].get("ownerReferences") or []
            if owners and not {one["uid"] for one in owners} & uids and "deletionTimestamp" not in found["metadata"]:
                self.store.delete(key)


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP for the API."""

    protocol_version = "HTTP/1.1"
    api: Api

    def handle(self) -> None:
        """Answer until the client goes, which it may do at any time."""
        with suppress(ConnectionError):
            super().handle()

    def handle_any(self) -> None:
        """Answer one request."""
        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        line = f"{self.command} {self.path}"
        self.api.asked.append(line)
        trouble = self.api.trouble(line)
        if trouble and trouble.status and not trouble.is_after:
            self._refuse(trouble)
            return
        try:
            asked = taken_apart(self.command, address.path, dict(parse_qsl(address.query)), self.headers, body=body)
            if asked.is_watch:
                self._watch(asked)
                return
            status, answer = self.api.answer(asked)
        except Refusal as refusal:
            status, answer = refusal.code, refusal.status
        if trouble and trouble.status:
            self._refuse(trouble)
            return
        is_text = isinstance(answer, str)
        self._send(status, answer if is_text else json.dumps(answer), "text/plain" if is_text else "application/json")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815  the names http.server calls

    def _refuse(self, trouble: Trouble) -> None:
        status = Refusal(trouble.status, "Trouble", trouble.message).status
        self._send(trouble.status, json.dumps(status), "application/json", trouble.headers)

    def _send(self, status: int, text: str, content: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": content, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def _watch(self, asked: Asked) -> None:
        store, version = self.api.store, int(asked.query.get("resourceVersion") or 0)
        self.api.answer(Asked(**{**vars(asked), "query": {}}))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        ends = time.monotonic() + int(asked.query.get("timeoutSeconds") or 30)
        while time.monotonic() < ends:
            try:
                with store.lock:
                    store.lock.wait_for(lambda seen=version: store.version > seen, 0.1)
                    events = store.since(version)
            except Refusal as refusal:
                self._chunk({"type": "ERROR", "object": refusal.status})
                break
            for at, happened, key, found in events:
                version = at
                if key[0] == asked.kinds and asked.namespace in {"", key[1]} and selected(found, asked.query):
                    self._chunk({"type": happened, "object": found})
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, event: Json) -> None:
        data = json.dumps(event).encode() + b"\n"
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def log_message(self, *_: object) -> None:
        """Stay silent."""


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
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"api": api}))
    http.daemon_threads = True
    server = ApiServer(f"http://127.0.0.1:{http.server_address[1]}", store, api, kubelet, threading.Event())
    for name in ("default", "shop"):
        server.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        account = {"name": "default", "namespace": name}
        server.make({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    threads = [threading.Thread(target=one, daemon=True) for one in (http.serve_forever, server.control)]
    for thread in threads:
        thread.start()
    try:
        yield server
    finally:
        server.stopped.set()
        threads[1].join()
        http.shutdown()
        http.server_close()
