"""Lets a source look at a cluster without blocking, through the library `kubernetes_asyncio`."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

from changewindow.systems.kubernetes.client import (
    ACCEPT,
    Parameters,
    Reply,
    asyncio_api,
    following,
    namespace_of,
    no_reply,
)
from changewindow.systems.kubernetes.diagnosis import owned, selector_of
from changewindow.systems.kubernetes.resource import Json, Resource, core, refusal
from changewindow.systems.measurement import SourceContext, SourceError

if TYPE_CHECKING:
    from aiohttp import ClientResponse
    from kubernetes_asyncio.client import ApiClient

LARGEST = 20 << 20
"""How many bytes of a reply are read at most."""
PAGE = 500
"""How many objects are asked for at a time."""
TRIES = 5
"""How often a server that asks to wait is asked; the condition's timeout ends it earlier."""


@dataclass(frozen=True)
class Listing:
    """Objects of a kind: of very many, the first."""

    items: tuple[Json, ...]
    is_whole: bool
    date: str
    """When the server answered, by its own clock and as HTTP writes it."""


@dataclass(frozen=True)
class AskedCluster:
    """The cluster behind a connection, for a source, which only reads."""

    api: "ApiClient"
    connection: str
    namespace: str
    """The namespace of the source, or of the connection."""

    async def get(self, resource: Resource, **parameters: Unpack[Parameters]) -> Json:
        """Return an object.

        Raises:
            SourceError: `no_data`, there is none; `unreachable`, the server refuses; `invalid`, it is no object.
        """
        return _document(await self.text(resource, **parameters), resource)

    async def items(self, resource: Resource, **parameters: Unpack[Parameters]) -> list[Json]:
        """Return all objects of a kind."""
        items: list[Json] = []
        asked: Parameters | None = parameters
        while asked is not None:
            document = await self.get(resource, **asked)
            items += document["items"]
            asked = following(parameters, document)
        return items

    async def listing(self, resource: Resource, most: int) -> Listing:
        """Return the objects of a kind, page by page, and no more than so many; see `get`."""
        items: list[Json] = []
        token, date = "", ""
        while len(items) < most:
            page = {"limit": min(PAGE, most - len(items)), **({"continue": token} if token else {})}
            reply = await self._asked(resource, page)
            document, date = _document(self._good(reply, resource), resource), reply.date
            listed, metadata = document.get("items"), document.get("metadata")
            if not isinstance(listed, list) or not isinstance(metadata, dict):
                raise SourceError("invalid", f"the answer about {resource} is no list. Is it an API server?")
            items += (item for item in listed if isinstance(item, dict))
            token = str(metadata.get("continue") or "")
            if not token or not listed:
                break
        return Listing(tuple(items[:most]), not token, date)

    async def text(self, resource: Resource, **parameters: Unpack[Parameters]) -> str:
        """Return what the server sends, such as a log; see `get`."""
        return self._good(await self.ask(resource, **parameters), resource)

    def _good(self, reply: Reply, resource: Resource) -> str:
        if 200 <= reply.status < 300:
            return reply.text
        reason = refusal(self.connection, "GET", resource, status=reply.status, text=reply.text)
        raise SourceError("no_data" if reply.status == 404 else "unreachable", reason)

    async def ask(self, resource: Resource, **parameters: Unpack[Parameters]) -> Reply:
        """Return the reply to a question; a server that asks to wait is asked again.

        Raises:
            SourceError: `unreachable`, no reply came.
        """
        return await self._asked(resource, parameters)

    async def _asked(self, resource: Resource, parameters: Mapping[str, Any]) -> Reply:
        for left in reversed(range(TRIES)):
            reply = await self._once(resource, parameters)
            if reply.pause is None or not left:
                break
            await asyncio.sleep(reply.pause)
        return reply

    async def pods(self, workload: Json) -> list[Json]:
        """Return the pods that have the labels of a workload and are controlled by it or one of its ReplicaSets."""
        metadata = workload["metadata"]
        selector, owners = selector_of(workload), [workload]
        if workload["kind"] == "Deployment":
            replica_sets = Resource("apps", "v1", "replicasets", metadata["namespace"])
            owners = owned(await self.items(replica_sets, labelSelector=selector), workload)
        return owned(await self.items(core("pods", metadata["namespace"]), labelSelector=selector), *owners)

    async def _once(self, resource: Resource, parameters: Mapping[str, Any]) -> Reply:
        from aiohttp import ClientError  # noqa: PLC0415  comes with the library, see `client`

        try:
            reply = await self.api.call_api(
                resource.path,
                "GET",
                query_params=list(parameters.items()),
                header_params={"Accept": ACCEPT},
                auth_settings=["BearerToken"],
                _preload_content=False,
            )
            async with reply:
                body = await _body(reply, resource)
        except (ClientError, OSError) as error:
            raise SourceError("unreachable", no_reply(str(self.api.configuration.host), error)) from error
        headers = reply.headers
        text = body.decode(errors="replace")
        return Reply(reply.status, text, headers.get("Retry-After", ""), headers.get("Date", ""))


def _document(text: str, resource: Resource) -> Json:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise SourceError("invalid", f"the answer about {resource} is not that of an API server: {text[:80]!r}")
    return document


async def _body(reply: "ClientResponse", resource: Resource) -> bytes:
    """Return the content of a reply.

    Raises:
        SourceError: `invalid`, it is so large that it would harm all other watches.
    """
    body = bytearray()
    async for part in reply.content.iter_chunked(1 << 16):
        body += part
        if len(body) > LARGEST:
            raise SourceError(
                "invalid", f"the answer about {resource} is larger than {LARGEST >> 20} MiB; ask for less"
            )
    return bytes(body)


@asynccontextmanager
async def cluster(context: SourceContext, connection: str, namespace: str) -> AsyncIterator[AskedCluster]:
    """Lend the cluster behind a connection.

    Raises:
        UnusableConnection: the connection does not say how to reach a cluster.
    """
    known = await context.connection(connection)
    # in a thread: it reads files, may run a login program, and the library takes a second to import
    make = await asyncio.to_thread(asyncio_api, known)
    async with make() as api:
        yield AskedCluster(api, connection, namespace_of(known, namespace))
