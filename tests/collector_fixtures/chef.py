"""A world for `chef`: answers as a Chef Infra Server documents them, recorded; no such server runs here.

Source: https://docs.chef.io/server/api_chef_server/
"""

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from changewindow.systems.chef_server import signable
from changewindow.systems.connection import Connection
from collector_fixtures import Made, World
from support.recording_server import Reply, Request, recording_server

ORGANIZATION = "/organizations/shop"
SIGNED = [f"X-Ops-Authorization-{number}" for number in range(1, 10)]


@cache
def key() -> rsa.RSAPrivateKey:
    """Return the key of the client, which is made once."""
    return rsa.generate_private_key(65537, 2048)


@dataclass
class Chef:
    """Nodes and cookbooks."""

    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    cookbooks: dict[str, str] = field(default_factory=lambda: {"pool": "1.0.0"})

    def node(self, name: str, **fields: Any) -> None:
        """Let a node be so."""
        known = {"name": name, "environment": "production", "run_list": ["recipe[pool]"], "ohai_time": time.time()}
        self.nodes[name] = {**known, "policy": None, "revision": None, "chef": "18.4.2", **fields}

    def reply(self, request: Request) -> Reply:
        """Answer who signs rightly, page by page."""
        if not _is_signed(request):
            return Reply(401, json.dumps({"error": ["Invalid signature for user or client"]}))
        if request.path == f"{ORGANIZATION}/cookbooks":
            listed = {name: {"versions": [{"version": version}]} for name, version in self.cookbooks.items()}
            return Reply(200, json.dumps(listed))
        query = {name: values[0] for name, values in request.query.items()}
        start, rows = int(query["start"]), list(self.nodes.values())
        asked = json.loads(request.body)
        data = [{"url": "", "data": {name: node.get(name) for name in asked}} for node in rows]
        page = data[start : start + int(query["rows"])]
        return Reply(200, json.dumps({"total": len(rows), "start": start, "rows": page}))


def _is_signed(request: Request) -> bool:
    headers = request.headers
    signed = "".join(headers.get(name) or "" for name in SIGNED)
    digest = base64.b64encode(hashlib.sha256(request.body.encode()).digest()).decode()
    text = signable("reader", (request.method, request.path), headers.get("X-Ops-Timestamp", ""), digest)
    try:
        key().public_key().verify(base64.b64decode(signed), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


@contextmanager
def serving() -> Iterator[tuple[Chef, Connection]]:
    """Serve an organization with one node."""
    chef = Chef()
    chef.node("web-3")
    pem = (
        key()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )
    with recording_server(chef.reply) as server:
        yield chef, Connection("chef_server", "http", f"{server.url}{ORGANIZATION}", login="reader", password=pem)


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Serve it."""
    with serving() as (chef, connection):
        stranger = Connection("stranger", "http", connection.host, login="nobody", password=connection.password)
        asked = {"kind": "chef", "connection": "chef_server"}
        yield World(
            asked,
            lambda: made(chef),
            lambda text: chef.node(text, run_list=[text]),
            {**asked, "connection": "stranger"},
            (connection, stranger),
            shows_from_the_first_look=False,
        )


def made(chef: Chef) -> Made:
    """Give a node another run list."""
    chef.node("web-3", run_list=["recipe[pool]", "recipe[debug]"])
    return Made("node web-3", "", "changed: run_list, between ")
