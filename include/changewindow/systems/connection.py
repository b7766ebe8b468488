"""What a step, source or channel may know of an Airflow Connection."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from pydantic_core import PydanticCustomError

from changewindow.errors import UnusableConnection
from changewindow.systems.names import a_labels, is_address

ENCRYPTION = ("sslmode", "sslrootcert", "sslcert", "sslkey")
"""What the extra of a PostgreSQL connection may say of its encryption, by libpq's names."""
OPTIONS = "options"
"""What it may say of settings, as `-c search_path=orders`: without them, statements would mean other tables."""

SECRET = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|credentials|api_?key$|private_key|access_key$|bearer|webhook_url"
    r"|connection_string|keyfile_dict|client-key-data|client-certificate-data",
    re.IGNORECASE,
)
"""Names of fields in an extra whose texts are not to be shown."""


@dataclass(frozen=True)
class Connection:
    """One Airflow Connection, fetched at run time; never stored, logged or returned."""

    name: str
    kind: str
    host: str = ""
    port: int | None = None
    login: str = ""
    password: str = field(default="", repr=False)
    schema: str = ""
    extra: dict[str, Any] = field(default_factory=dict, repr=False)
    url_of_hook: Callable[[], str] | None = field(default=None, repr=False, compare=False)
    """Returns the SQLAlchemy address as the connection's own provider makes it."""

    @property
    def base_url(self) -> str:
        """Return the address that paths are added to, without a slash at its end.

        Raises:
            UnusableConnection: the connection names no host.
        """
        if not self.host:
            raise UnusableConnection(self.name, "host")
        if "@" in urlsplit(self.host if "://" in self.host else f"//{self.host}").netloc:
            missing = "address without an account in it; write that into login and password, which are not logged"
            raise UnusableConnection(self.name, missing)
        scheme, _, host = self.host.rpartition("://")
        scheme = scheme or (self.schema if self.schema in {"http", "https"} else "http")
        name, slash, path = host.rstrip("/").partition("/")
        return f"{scheme}://{self._place(name)}{slash}{path}"

    @property
    def credentials(self) -> tuple[str, str] | None:
        """Return login and password, or None when the connection has neither."""
        return (self.login, self.password) if self.login or self.password else None

    @property
    def address(self) -> str:
        """Return the host as it stands in an address: that of IPv6 in brackets."""
        host = self._in_ascii(self.host)
        return f"[{host}]" if ":" in host and not host.startswith("[") else host

    def _place(self, host: str) -> str:
        """Return a host, which may have a port, with the port of the connection as they stand in an HTTP address."""
        name, _, port = host.rpartition(":")
        if is_address(host) and ":" in host:
            host = f"[{host}]".replace("%", "%25")  # RFC 6874
        elif name and port.isdecimal() and self.port:
            if int(port) != self.port:
                raise UnusableConnection(self.name, f"single port: its host says {port}, its port {self.port}")
            return self._in_ascii(host)
        return f"{self._in_ascii(host)}:{self.port}" if self.port else self._in_ascii(host)

    @property
    def server_name(self) -> str:
        """Return the host as SSH names it: in ASCII and without a last dot.

        Raises:
            UnusableConnection: its host is no name.
        """
        return self._in_ascii(self.host).removesuffix(".")

    def _in_ascii(self, host: str) -> str:
        """Return a host, with or without its port, with each label in ASCII; one that is ASCII stays as it is."""
        try:
            return host if host.isascii() else a_labels(host)
        except PydanticCustomError as error:
            why = (error.context or {}).get("sentence", "")
            raise UnusableConnection(self.name, f"host that can be one: {why}") from error

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what must be shown nowhere: its password, and what is secret in its extra."""
        return (self.password, *_secrets(self.extra, is_secret=False))

    def hidden(self, text: str) -> str:
        """Return a text without the password, as it is and as it stands in addresses."""
        for form in {self.password, quote(self.password, safe=""), quote(self.password, safe=" +")} - {""}:
            text = text.replace(form, "***")
        return text

    @property
    def database_url(self) -> str:
        """Return the SQLAlchemy address: PostgreSQL by its fields, SQLite by its file in `host`, others by their hook.

        Raises:
            UnusableConnection: it is not the connection of a database.
        """
        if self.kind == "sqlite":
            return f"sqlite:///{self.host}"
        if self.kind in {"postgres", "postgresql"}:
            if re.search(r"[/?#@\s]", self.host) or re.search(r"[?#]", self.schema):
                raise UnusableConnection(self.name, "host and database by themselves: they hold a part of an address")
            account = f"{quote(self.login, safe='')}:{quote(self.password, safe='')}@" if self.login else ""
            port = f":{self.port}" if self.port else ""
            wanted = urlencode({key: self.extra[key] for key in (*ENCRYPTION, OPTIONS) if self.extra.get(key)})
            query = f"?{wanted}" if wanted else ""
            return f"postgresql+psycopg2://{account}{self.address}{port}/{self.schema}{query}"
        if self.url_of_hook is None:
            raise UnusableConnection(self.name, "type of a database")
        return self.url_of_hook()


def _secrets(value: Any, *, is_secret: bool) -> Iterator[str]:
    """Yield the texts below secret names, also those in a text of JSON."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _secrets(inner, is_secret=is_secret or bool(SECRET.search(str(name))))
    elif isinstance(value, list):
        for inner in value:
            yield from _secrets(inner, is_secret=is_secret)
    elif isinstance(value, str) and is_secret:
        yield value
    elif isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            yield from _secrets(json.loads(value), is_secret=is_secret)
        except ValueError:
            return
