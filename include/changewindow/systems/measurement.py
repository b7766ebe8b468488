"""One value measured in the outside world: how it is asked for, and why there may be none."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from changewindow.systems import authorization
from changewindow.systems.connection import Connection
from changewindow.systems.secrecy import Secrets

if TYPE_CHECKING:
    import httpx

Cause = Literal["no_data", "stale", "unreachable", "invalid", "late"]
Value = bool | float | str
Connections = Callable[[str], Awaitable[Connection]]
Authentication = Callable[[Connection], Mapping[str, str] | None]

LARGEST = 64 << 20
"""How many bytes of a reply are read at most."""
ENDLESS = "changewindow_endless"
"""The extension of a reply that had no length."""
TRANSPORT = {"content-encoding", "transfer-encoding"}
"""Headers about how a reply was sent, not about its content."""


class SourceError(Exception):
    """A source has no value; `cause` is one of five, of which `late` is not about the source."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.cause: Cause = cause

    def __reduce__(self) -> tuple[type["SourceError"], tuple[Cause, str]]:
        """Let it pass from one process to another."""
        return SourceError, (self.cause, str(self))


@dataclass(frozen=True)
class Answer:
    """A measured value: when it was true (UTC), and the query exactly as sent."""

    value: Value
    at: datetime
    query: str
    note: str = ""
    """What else a person wants to know, such as the names of what was counted."""
    is_at_least: bool = False
    """Whether more may be there than could be counted."""

    def __post_init__(self) -> None:
        """Hold the moment in UTC, in whatever zone the server tells its times: it is shown as UTC."""
        object.__setattr__(self, "at", self.at.astimezone(UTC))


@dataclass(frozen=True)
class PastChange:
    """A change that has touched its targets, or is touching them now."""

    change: str
    status: str
    reason: str
    began: datetime
    closed: datetime | None
    ticket: dict[str, Any]
    """The data of its ticket."""
    values: dict[str, Any]
    """The values chosen for its parameters in place of their defaults when it began."""


@dataclass(frozen=True)
class Past:
    """A change's own ticket, and what changed the same services in another environment."""

    ticket: dict[str, Any]
    changes: tuple[PastChange, ...]
    """Newest first; one that is acting now is the newest."""


PastOf = Callable[[str, str], Awaitable[Past]]
"""Looks up a change's past in an environment; called with the change's id and the environment's name."""


class Measurable(Protocol):
    """What can be asked for one value: a source, as `sources/base.py` says."""

    is_about_the_asker: ClassVar[bool]

    def model_dump_json(self) -> str:
        """Return what is asked, as text."""
        ...

    async def ask(self, context: "SourceContext") -> Answer:
        """Return the value of now."""
        ...


@dataclass
class SourceContext:
    """What a source may use: a client that does not block, connections, and what it kept from its last reading."""

    http: "httpx.AsyncClient"
    connections: Connections
    shared: "Callable[[Measurable, SourceContext], Awaitable[Answer]] | None" = None
    """Answers in place of the source, where several changes ask the same."""
    since: datetime | None = None
    """The end of the last step with its time to settle, while a change is watched; older values do not count."""
    change: str | None = None
    """The id of the change that asks, such as `CHG-1042`; None where it has none yet."""
    past: PastOf | None = None
    """Looks up what has changed before; None where no ledger is at hand."""
    kept: dict[str, Any] = field(default_factory=dict)
    """JSON that a source keeps for its next reading of the same condition."""
    secrets: Secrets = field(default_factory=Secrets)
    """What must not be shown; grows with each connection that is used."""

    async def connection(self, name: str) -> Connection:
        """Return the Airflow Connection of this name.

        Raises:
            UnknownConnection: there is none.
        """
        known = await self.connections(name)
        self.secrets.learn(*known.secrets)
        return known

    @staticmethod
    def now() -> datetime:
        """Return the moment of a reading, in UTC."""
        return datetime.now(UTC)

    async def answer(self, source: Measurable) -> Answer:
        """Return the value of a source.

        Raises:
            SourceError: there is no value.
        """
        return await (self.shared(source, self) if self.shared else source.ask(self))

    async def get(
        self,
        name: str,
        path: str,
        parameters: Mapping[str, str | Sequence[str]] | None = None,
        *,
        headers: Authentication | None = None,
    ) -> "httpx.Response":
        """Send a GET request to the service behind a connection.

        `headers` derives the authentication from the connection; without it, login and password are used, or the
        header that the connection names.

        Raises:
            SourceError: `unreachable`, no reply came.
            UnknownConnection: there is no such connection.
        """
        connection = await self.connection(name)
        return await self._send(connection, "GET", path, parameters, headers=headers)

    async def head(self, name: str, path: str) -> "httpx.Response":
        """Send a HEAD request to the service behind a connection; see `get`."""
        connection = await self.connection(name)
        return await self._send(connection, "HEAD", path)

    async def act(
        self, name: str, method: str, path: str, body: Any = None, *, headers: Authentication | None = None
    ) -> "httpx.Response":
        """Send a request that acts, with a body of JSON, or bytes as they are; see `get`. No source does that.

        Raises:
            SourceError: `unreachable`, no reply came; whether the request had an effect is unknown.
            UnknownConnection: there is no such connection.
        """
        connection = await self.connection(name)
        return await self._send(connection, method, path, headers=headers, body=body)

    async def _send(
        self,
        connection: Connection,
        method: str,
        path: str,
        parameters: Mapping[str, str | Sequence[str]] | None = None,
        *,
        headers: Authentication | None = None,
        body: Any = None,
    ) -> "httpx.Response":
        import aiohttp  # noqa: PLC0415  both take long to import, and only who asks needs them
        import httpx  # noqa: PLC0415  same

        url, signed = f"{connection.base_url}{path}", (headers or authorization.headers)(connection)
        login = connection.credentials if signed is None else None
        try:
            sent: Any = {"content": body} if isinstance(body, bytes) else {"json": body}
            request = self.http.stream(method, url, params=parameters, headers=signed, auth=login, **sent)
            async with request as reply:
                content = await content_of(reply, url, LARGEST)
        except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError) as error:
            # httpx_aiohttp does not turn all of aiohttp's errors into those of httpx
            raise SourceError("unreachable", f"{url}: {type(error).__name__} {error}".rstrip()) from error
        headers_kept = [(name, value) for name, value in reply.headers.multi_items() if name not in TRANSPORT]
        has_length = not reply.headers.keys().isdisjoint({"content-length", "transfer-encoding"})
        whole = httpx.Response(
            reply.status_code,
            headers=headers_kept,
            content=content,
            request=reply.request,
            extensions={ENDLESS: not has_length},
        )
        whole.encoding = "utf-8"  # as JSON and metrics are, whatever a header says
        whole.elapsed = reply.elapsed
        return whole


def may_be_cut(reply: "httpx.Response") -> bool:
    """Return whether a reply had no length: it ended with its connection, whole or not."""
    return bool(reply.extensions.get(ENDLESS))


async def content_of(reply: "httpx.Response", url: str, largest: int) -> bytes:
    """Return the content of a reply, unpacked; `largest` is in bytes.

    Raises:
        SourceError: it is so large that it would harm all other watches.
    """
    body = bytearray()
    async for part in reply.aiter_bytes():
        body += part
        if len(body) > largest:
            raise SourceError("invalid", f"{url}: the reply is larger than {largest >> 20} MiB; ask for less")
    return bytes(body)
