"""Says whether two connections lead to the same place, whatever they call it: by address, port, database and file."""

import os
import re
import socket
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from time import monotonic
from urllib.parse import unquote, urlsplit

from changewindow.errors import UnusableConnection
from changewindow.systems.connection import Connection

PORTS = {
    "postgres": 5432,
    "postgresql": 5432,
    "mysql": 3306,
    "mariadb": 3306,
    "mssql": 1433,
    "oracle": 1521,
    "redis": 6379,
    "http": 80,
    "https": 443,
    "ssh": 22,
    "git": 9418,
    "amqp": 5672,
}
POSTGRES = ("postgres", "postgresql")
HERE = "this machine"
FRESH = 60
"""Seconds for which the addresses of a name are taken to be the same."""


@dataclass(frozen=True)
class Endpoint:
    """Where a connection leads: a file, or a port of a host, and what it opens there."""

    host: str = ""
    port: int = 0
    database: str = ""
    """What of the server is opened; empty means all of it."""
    file: str = ""

    def __str__(self) -> str:
        """Return it as text, without any account."""
        return self.file or f"{self.host}:{self.port or '?'}" + (f"/{self.database}" if self.database else "")


def endpoint_of(connection: Connection) -> Endpoint | None:
    """Return where a connection leads, or None when it names no place."""
    kind, host = connection.kind, connection.host
    if kind == "sqlite" or (kind == "git" and host.startswith(("/", "~", "file://"))):
        return Endpoint(file=_file(host)) if host else None
    if kind in POSTGRES:
        return Endpoint(host or "localhost", connection.port or PORTS[kind], connection.schema or connection.login)
    with suppress(UnusableConnection, ValueError):
        if kind == "git":
            return _repository(host)
        is_web = kind == "http"
        place = endpoint_at(connection.base_url, None if is_web else PORTS.get(kind)) if host else None
        return replace(place, database=connection.schema) if place and not is_web else place
    return None


def endpoint_at(url: str, port: int | None = None) -> Endpoint | None:
    """Return where an address leads: one of a database, of a service, or `host:port`.

    Raises:
        ValueError: it is no address.
    """
    parts = urlsplit(url if "://" in url else f"//{url}")
    scheme = parts.scheme.removeprefix("db+").partition("+")[0]
    if scheme == "sqlite":
        return Endpoint(file=_file(unquote(parts.path).removeprefix("/"))) if parts.path.strip("/") else None
    if not parts.hostname:
        return None
    database = unquote(parts.path.strip("/")) if scheme in POSTGRES else ""
    return Endpoint(parts.hostname, parts.port or port or PORTS.get(scheme, 0), database)


def leads_to(mine: Endpoint, other: Endpoint) -> bool:
    """Return whether an endpoint is, or is a part of, another one."""
    if mine.file or other.file:
        return bool(mine.file and other.file) and _same_file(mine.file, other.file)
    if mine.port != other.port or (other.database and mine.database != other.database):
        return False
    minute = int(monotonic() // FRESH)
    return bool(_addresses(mine.host, minute) & _addresses(other.host, minute))


def _repository(address: str) -> Endpoint | None:
    """Return where a git repository is: `https://host/path.git`, or `account@host:path` as ssh has it."""
    short = re.fullmatch(r"(?:[^@/]+@)?([^/:]+):(?!//)(.+)", address)
    place = Endpoint(short[1], PORTS["ssh"]) if short else endpoint_at(address)
    path = short[2] if short else urlsplit(address).path
    return replace(place, database=path.strip("/").removesuffix(".git")) if place else None


def _file(path: str) -> str:
    """Return the path that an address of SQLite or git means; `file:…?mode=rw&uri=true` is one way to write it."""
    path = path.removeprefix("file://").removeprefix("file:").partition("?")[0]
    return str(Path(path).expanduser())


def _same_file(mine: str, other: str) -> bool:
    """Compare by what is opened, so that neither a symbolic nor a hard link makes another file of it."""
    with suppress(OSError):
        return os.path.samefile(mine, other)  # noqa: PTH121  two texts
    return os.path.realpath(mine) == os.path.realpath(other)


@lru_cache(maxsize=1024)
def _addresses(host: str, minute: int) -> frozenset[str]:
    """Return the addresses of a name, with every address of this machine as the same one; and the name itself."""
    name = host.strip("[]").rstrip(".").casefold()
    if name.startswith("/"):
        return frozenset({HERE})  # the socket of a database
    addresses = {name}
    with suppress(OSError, UnicodeError):
        for family, _, _, _, address in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM):
            addresses.add(HERE if _is_here(family, str(address[0])) else str(address[0]))
    return frozenset(addresses)


def _is_here(family: int, address: str) -> bool:
    """Return whether an address is one of this machine: only those can be bound."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as bound:
            bound.bind((address, 0))
    except OSError:
        return False
    return True
