"""Asks a Chef Infra Server, with requests that are signed by the key of a client or user (protocol 1.3).

Source: https://docs.chef.io/server/api_chef_server/
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from changewindow.errors import UnusableConnection
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import SourceContext, SourceError, content_of

LINE = 60
"""How long a line of a signature is."""
VERSION = "1"
LARGEST = 32 << 20
PAGE = 500
KEYS = {
    "name": ["name"],
    "environment": ["chef_environment"],
    "run_list": ["run_list"],
    "policy": ["policy_name"],
    "revision": ["policy_revision"],
    "chef": ["chef_packages", "chef", "version"],
    "ohai_time": ["ohai_time"],
}
"""What is asked for of each node."""


@dataclass(frozen=True)
class ChefServer:
    """The organization behind a connection."""

    context: SourceContext
    connection: Connection
    key: rsa.RSAPrivateKey

    async def nodes(self, most: int) -> tuple[list[Any], int]:
        """Return what is known of nodes, page by page, and how many there are.

        Raises:
            SourceError: the server does not answer, refuses, or answers something else.
        """
        rows: list[Any] = []
        total = 0
        while len(rows) < most:
            document = await self._json("POST", f"/search/node?q=*:*&start={len(rows)}&rows={PAGE}", KEYS)
            page, number = document.get("rows"), document.get("total")
            if not isinstance(page, list) or not isinstance(number, int):
                raise SourceError("invalid", f"{self._place} does not answer a search. Is it a Chef Infra Server?")
            rows, total = [*rows, *page], number
            if not page or len(rows) >= total:
                break
        return rows[:most], total

    async def cookbooks(self) -> dict[str, Any]:
        """Return the newest version of each cookbook, as the server lists them."""
        return await self._json("GET", "/cookbooks?num_versions=1", None)

    @property
    def _place(self) -> str:
        return self.connection.base_url

    async def _json(self, method: str, path: str, body: Any) -> dict[str, Any]:
        import aiohttp  # noqa: PLC0415  both take long to import, and only who asks needs them
        import httpx  # noqa: PLC0415  same

        url, content = f"{self._place}{path}", b"" if body is None else json.dumps(body).encode()
        signed = signature(self.connection.login, self.key, (method, httpx.URL(url).path), content)
        try:
            async with self.context.http.stream(method, url, content=content, headers=signed) as reply:
                collected = await content_of(reply, url, LARGEST)
        except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError) as error:
            reason = f"{url}: {type(error).__name__} {error}".rstrip()
            raise SourceError("unreachable", f"{reason}. Is the Chef server running there?") from error
        if reply.status_code != httpx.codes.OK:
            raise SourceError("unreachable", self._refusal(path, reply.status_code))
        try:
            document = json.loads(collected)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise SourceError("invalid", f"{url} answers without JSON. Is it a Chef Infra Server?")
        return document

    def _refusal(self, path: str, status: int) -> str:
        problem = f"the Chef server answered {path.partition('?')[0]} with {status}"
        if status == 401:
            return f"{problem}. Correct login (a client) or key of the connection {self.connection.name}, or the clock"
        if status == 403:
            return f"{problem}. Let the client {self.connection.login} read nodes and cookbooks"
        return f"{problem}. Write the host of {self.connection.name} with `/organizations/` and its name"


async def chef_server(context: SourceContext, name: str) -> ChefServer:
    """Return the organization behind a connection: its login is a client, its password that client's key in PEM.

    Raises:
        UnusableConnection: it has no login, or no key that can be used.
    """
    connection = await context.connection(name)
    if not connection.login:
        raise UnusableConnection(name, "login, which is the name of a client")
    try:
        key = serialization.load_pem_private_key(connection.password.replace("\\n", "\n").encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnusableConnection(name, "password that is the private key of a client, in PEM") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise UnusableConnection(name, "password that is an RSA key")
    return ChefServer(context, connection, key)


def signature(user: str, key: rsa.RSAPrivateKey, request: tuple[str, str], body: bytes) -> Mapping[str, str]:
    """Return the headers that sign a request, given by its method and its path without a query."""
    now, digest = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", base64.b64encode(hashlib.sha256(body).digest()).decode()
    signed = base64.b64encode(
        key.sign(signable(user, request, now, digest).encode(), padding.PKCS1v15(), hashes.SHA256())
    ).decode()
    lines = [signed[start : start + LINE] for start in range(0, len(signed), LINE)]
    return {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "X-Chef-Version": "18.0.0",
        "X-Ops-Server-API-Version": VERSION,
        "X-Ops-Sign": "algorithm=sha256;version=1.3;",
        "X-Ops-UserId": user,
        "X-Ops-Timestamp": now,
        "X-Ops-Content-Hash": digest,
        **{f"X-Ops-Authorization-{number}": line for number, line in enumerate(lines, 1)},
    }


def signable(user: str, request: tuple[str, str], now: str, digest: str) -> str:
    """Return the text that is signed."""
    method, path = request
    return "\n".join(
        (
            f"Method:{method}",
            f"Path:{path.rstrip('/') or '/'}",
            f"X-Ops-Content-Hash:{digest}",
            "X-Ops-Sign:version=1.3",
            f"X-Ops-Timestamp:{now}",
            f"X-Ops-UserId:{user}",
            f"X-Ops-Server-API-Version:{VERSION}",
        )
    )
