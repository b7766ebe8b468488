"""A real registry of images: Debian's docker-registry, with one account."""

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import requests

from changewindow.cli.airflow_api import wait_for
from changewindow.systems.connection import Connection
from step_fixtures import need
from support.ports import free_port

ACCOUNT = ("robot", "s3cret-of-the-registry")
CONFIG = """
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}/images}}}}
http: {{addr: "127.0.0.1:{port}"}}
auth: {{htpasswd: {{realm: here, path: {folder}/accounts}}}}
"""


@dataclass
class Registry:
    """A running registry."""

    port: int

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.port}"

    def connection(self, name: str = "example_registry", *, password: str = ACCOUNT[1]) -> Connection:
        """Return a connection of its account."""
        return Connection(name, "http", host=self.url, login=ACCOUNT[0], password=password)

    def push(self, name: str, tag: str) -> str:
        """Push an image without layers; return its digest."""
        config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}})
        digest = f"sha256:{hashlib.sha256(config.encode()).hexdigest()}"
        begun = requests.post(f"{self.url}/v2/{name}/blobs/uploads/", auth=ACCOUNT, timeout=10)
        parameters = {"digest": digest}
        sent = requests.put(begun.headers["Location"], config, params=parameters, auth=ACCOUNT, timeout=10)
        sent.raise_for_status()
        kind = "application/vnd.oci.image.manifest.v1+json"
        about = {"mediaType": "application/vnd.oci.image.config.v1+json", "size": len(config), "digest": digest}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": about, "layers": []})
        place, headers = f"{self.url}/v2/{name}/manifests/{tag}", {"Content-Type": kind}
        put = requests.put(place, manifest, headers=headers, auth=ACCOUNT, timeout=10)
        put.raise_for_status()
        return put.headers["Docker-Content-Digest"]


@contextmanager
def registry(folder: Path) -> Iterator[Registry]:
    """Run a registry in a folder."""
    need("docker-registry")
    folder.mkdir(parents=True, exist_ok=True)
    here = Registry(free_port())
    hashed = bcrypt.hashpw(ACCOUNT[1].encode(), bcrypt.gensalt(4)).decode()
    (folder / "accounts").write_text(f"{ACCOUNT[0]}:{hashed}\n")
    (folder / "config.yml").write_text(CONFIG.format(folder=folder, port=here.port))
    command = ["docker-registry", "serve", str(folder / "config.yml")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(lambda: _answers(here), "the registry", 20, 0.05)
        yield here
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(here: Registry) -> bool:
    try:
        return requests.get(f"{here.url}/v2/", auth=ACCOUNT, timeout=5).ok
    except requests.ConnectionError:
        return False
