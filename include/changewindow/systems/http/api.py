"""Asks the HTTP APIs of products for JSON, and explains refusals with what to do about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx

from changewindow.errors import UnusableConnection
from changewindow.systems.connection import Connection
from changewindow.systems.http import cache
from changewindow.systems.http.refusals import quiet_until, reason_of, wants_quiet
from changewindow.systems.measurement import SourceContext, SourceError

LONGEST = 200
LARGEST = 8 << 20
"""In bytes: what is taken apart in a tenth of a second."""


@dataclass(frozen=True)
class Product:
    """A product with an API: where the API is, and how to authenticate."""

    name: str
    needs: str
    """What the token in the connection's password must be and may do."""
    scheme: str = "Bearer {}"
    """What the header says; `{}` stands for the token."""
    header: str = "Authorization"
    """Empty where a request carries the token in another way."""
    address: str = ""
    """Where its API is when the connection names no host."""
    public: tuple[str, ...] = ()
    """Hosts of the public service, for which `address` is used too."""
    prefix: str = ""
    """The prefix of every path if the connection's host has no path of its own."""
    tenants: str = ""
    """The domain whose subdomains have their API at `api.` before their name, and no prefix."""
    accept: str = "application/json"
    takes_login: bool = False
    """Whether a login with password, or no credentials at all, are accepted besides a token."""

    def located(self, connection: Connection) -> Connection:
        """Return the connection with the address of the API; tokens go over https unless it says otherwise."""
        name = connection.host.rpartition("://")[2].strip("/")
        if self.address and (not name or name in self.public):
            return replace(connection, host=self.address, port=None, schema="")
        if self.address and "://" not in connection.host and not connection.schema:
            connection = replace(connection, schema="https")
        if self.tenants and name.endswith(self.tenants):
            return replace(connection, host=f"https://api.{name.removeprefix('api.')}")
        return connection if "/" in name else replace(connection, host=f"{connection.host.rstrip('/')}{self.prefix}")

    def token(self, connection: Connection) -> str:
        """Return the token; an empty one where the product may do without.

        Raises:
            UnusableConnection: the connection has no password, or one that no header can carry.
        """
        token = connection.password.strip()  # secrets often end with a line break
        if not (token.isascii() and token.isprintable()):
            raise UnusableConnection(connection.name, f"token in its password, but other text; it must be {self.needs}")
        if not token and not self.takes_login:
            raise UnusableConnection(connection.name, f"password; it must be {self.needs}")
        return token

    def headers(self, connection: Connection) -> dict[str, str]:
        """Return the headers that authenticate the request.

        Raises:
            UnusableConnection: the connection has no password, or one that no header can carry.
        """
        token = self.token(connection)
        return {"Accept": self.accept, **({self.header: self.scheme.format(token)} if token and self.header else {})}


@dataclass(frozen=True)
class Api:
    """The API of a product, behind a connection."""

    context: SourceContext
    connection: str
    product: Product
    written_in: str = "the ticket"
    """Where that is written which is asked for or sent."""
    paths: list[str] = field(default_factory=list)
    """The paths that were requested, for the record."""
    made: list[datetime] = field(default_factory=list)
    """When the replies were made, which is earlier for those that a cache has kept."""

    def at(self, asked: datetime) -> datetime:
        """Return how old is what was asked for at a moment: as old as the oldest reply."""
        return min([asked, *self.made])

    async def json(
        self, path: str, parameters: Mapping[str, str | Sequence[str]] | None = None, *, what: str = ""
    ) -> Any:
        """Return the JSON of a reply; `what` describes what is asked for, for the message if it does not exist.

        Raises:
            SourceError: `invalid`, it does not exist or is not JSON; `unreachable`, no answer, or a refusal.
        """
        document = await self.json_or_none(path, parameters)
        if document is not None:
            return document
        if not what:
            problem = f"there is no {path} at {(await self._located(self.connection)).base_url}"
            remedy = f"Correct the host of the connection '{self.connection}', path and all"
            raise SourceError("invalid", f"{problem}. Is it the API of {self.product.name}? {remedy}.")
        problem = f"{self.product.name} has no {what} that the token of '{self.connection}' can see"
        remedy = f"Correct {self.written_in}, or give the token access; it must be {self.product.needs}"
        raise SourceError("invalid", f"{problem}. {remedy}.")

    async def json_or_none(self, path: str, parameters: Mapping[str, str | Sequence[str]] | None = None) -> Any:
        """Return the JSON of a reply, or None when what is asked for does not exist."""
        return (await self.page(path, parameters))[0]

    async def act(self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Any:
        """Do as `deliver`; what is not there any more is None too."""
        return await self.deliver(method, path, body, headers=headers, may_be_gone=True)

    async def deliver(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        may_be_gone: bool = False,
    ) -> Any:
        """Send a request that acts, and return the JSON of the reply; None where it has none.

        Raises:
            SourceError: it was refused, or no reply came: whether it had an effect is unknown then.
        """
        connection = await self._located(self.connection)
        more = headers or {}
        reply = await replace(self.context, connections=self._located).act(
            self.connection,
            method,
            path,
            body,
            headers=None if self._has_login(connection) else lambda known: {**self.product.headers(known), **more},
        )
        if may_be_gone and reply.status_code == httpx.codes.NOT_FOUND:
            return None
        if not reply.is_success:
            raise self._refused(reply)
        try:
            return reply.json() if reply.content else None
        except ValueError:
            return None

    async def page(self, path: str, parameters: Mapping[str, str | Sequence[str]] | None = None) -> tuple[Any, bool]:
        """Return the same of a page, and whether the server names a next one, however few entries this one has."""
        self._keep_quiet()
        context = replace(self.context, connections=self._located)
        connection = await self._located(self.connection)
        self.paths.append(path)
        has_login = self._has_login(connection)
        reply = await context.get(
            self.connection, path, parameters, headers=None if has_login else self.product.headers
        )
        if reply.status_code == httpx.codes.NOT_FOUND:
            return None, False
        if reply.status_code != httpx.codes.OK:
            raise self._refused(reply)
        self.made.append(cache.made(reply, self.context.now()))  # refuses what is old
        if len(reply.content) > LARGEST:
            fault = f"{self.product.name} answered {path} with more than {LARGEST >> 20} MiB"
            raise SourceError("invalid", f"{fault}, for which all other watches would have to wait. Ask for less.")
        try:
            return reply.json(), "next" in reply.links
        except ValueError as error:
            problem = f"{self.product.name} answered without JSON. Is {reply.url.copy_with(query=None)} its API?"
            raise SourceError("invalid", problem) from error

    @property
    def query(self) -> str:
        """Return the requests that were made."""
        return ", ".join(f"GET {path}" for path in self.paths)

    def _has_login(self, connection: Connection) -> bool:
        return self.product.takes_login and bool(connection.login)

    async def _located(self, name: str) -> Connection:
        return self.product.located(await self.context.connection(name))

    def _keep_quiet(self) -> None:
        """Refuse to ask while the product limits the rate: those who go on asking are kept waiting longer."""
        until = datetime.fromtimestamp(self.context.kept.get("quiet_until", 0), UTC)
        if self.context.now() < until:
            raise self._too_often(until)

    def _refused(self, reply: httpx.Response) -> SourceError:
        """Return the error for a reply that is not a success."""
        status, name = reply.status_code, self.product.name
        refusal = f"{status} {reason_of(reply)}".strip()
        if wants_quiet(reply):
            until = quiet_until(reply, self.context.now())
            self.context.kept["quiet_until"] = until.timestamp()
            return self._too_often(until)
        if status == httpx.codes.UNAUTHORIZED:
            problem = (
                f"{name} does not know the token of the connection '{self.connection}' ({refusal}): wrong or expired"
            )
            remedy = f"Put a new one into its password: {self.product.needs}"
            return SourceError("unreachable", f"{problem}. {remedy}, for {reply.url.host}.")
        if status == httpx.codes.FORBIDDEN:
            problem = f"the token of the connection '{self.connection}' may not do this at {name} ({refusal})"
            return SourceError("unreachable", f"{problem}. It must be {self.product.needs}.")
        if status in {httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY}:
            remedy = f"Correct {self.written_in}."
            return SourceError("invalid", f"{name} does not understand the question ({refusal}). {remedy}")
        if reply.has_redirect_location:
            elsewhere = reply.headers["location"].partition("?")[0][:LONGEST]
            problem = f"{name} answered {refusal}: what was asked for is at {elsewhere}"
            remedy = (
                f"Write its new name into {self.written_in}, or correct the host of the connection '{self.connection}'"
            )
            return SourceError("unreachable", f"{problem}. {remedy}.")
        return SourceError("unreachable", f"{name} answered {refusal}. Is it up, and the address of its API right?")

    def _too_often(self, until: datetime) -> SourceError:
        problem = f"{self.product.name} was asked too often and wants quiet until {until:%H:%M:%S} UTC"
        return SourceError("unreachable", f"{problem}. Ask less often, or with a token of your own.")
