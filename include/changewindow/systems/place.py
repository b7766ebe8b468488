"""Where a step acts, or a collector looks: a host, a cluster or a repository; and whether two of them surely differ."""

import socket
from collections.abc import Callable
from typing import Literal
from urllib.parse import urlsplit

from changewindow.documents.types import Model
from changewindow.errors import ChangeError
from changewindow.systems.connection import Connection
from changewindow.systems.names import is_address

Sort = Literal["", "host", "cluster", "repository"]
"""What stands behind a connection; empty where that is not where something happens, or is many places."""
HERE = {"", "localhost", "ip6-localhost"}
"""Names by which every machine may mean itself."""
NAMED = 2
"""How many parts at the end of its path name a repository: `shop/orders`."""


class Place(Model):
    """Where something happens."""

    sort: Literal["host", "cluster", "repository"]
    name: str
    """Its address, as the connection has it."""
    namespace: str = ""
    """Of a cluster: what is meant where none is named."""

    def __str__(self) -> str:
        """Return it for people."""
        return f"{self.sort} {self.name}"


def place_behind(sort: Sort, connection: Connection | None) -> Place | None:
    """Return the place behind a connection, or this machine where there is none; None where that is not one place."""
    if not sort or (connection is None and sort != "host"):
        return None
    if connection is None:
        return Place(sort="host", name=socket.gethostname())
    return _cluster(connection) if sort == "cluster" else Place(sort=sort, name=connection.host)


def place_of_step(sort: Sort, name: str | None, connections: Callable[[str], Connection]) -> Place | None:
    """Return where a step acts; None also where its connection does not say: the step tells why, when it acts."""
    try:
        return place_behind(sort, connections(name) if sort and name else None)
    except ChangeError:
        return None


def is_elsewhere(acted: Place | None, seen: Place | None) -> bool:
    """Return whether two places are surely not the same.

    A short name is the same as the full one that begins with it. A name and an address cannot be compared, nor can
    `localhost`: nobody here asks DNS, which may answer otherwise than it did then.
    """
    if acted is None or seen is None or acted.sort != seen.sort or not acted.name or not seen.name:
        return False
    try:
        (host, rest), (other_host, other_rest) = _parts(acted), _parts(seen)
    except ValueError:  # an address that cannot be one
        return False
    return _differ(host, other_host) or (host == other_host and rest != other_rest)


def _cluster(connection: Connection) -> Place | None:
    from changewindow.systems.kubernetes.client import (  # noqa: PLC0415  its library takes long to load
        configuration,
        namespace_of,
    )

    try:
        address = str(configuration(connection).host)
    except (ChangeError, ValueError, OSError):  # whoever uses it says why
        return None
    return Place(sort="cluster", name=address, namespace=namespace_of(connection, ""))


def _parts(place: Place) -> tuple[str, str]:
    """Return the host of a place, and what tells it from others there."""
    address = place.name
    if place.sort == "host":
        return address.casefold().strip("[]").rstrip("."), ""
    if "://" not in address:
        account, colon, folder = address.partition(":")  # as ssh has it; else a folder of this machine
        address = f"ssh://{account}/{folder}" if colon and "/" not in account else f"file://{address}"
    parts = urlsplit(address)
    path = [part for part in parts.path.removesuffix("/").removesuffix(".git").split("/") if part]
    host = (parts.hostname or "").rstrip(".")
    if place.sort == "repository":
        return host, "/".join(path[-NAMED:])
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    return host, f"{port}/{'/'.join(path)}"


def _differ(host: str, other: str) -> bool:
    if {host, other} & HERE or is_address(host) != is_address(other):
        return False
    if is_address(host):
        return host != other and not ({host, other} & {"127.0.0.1", "::1"})
    is_short = "." not in host or "." not in other
    return host.partition(".")[0] != other.partition(".")[0] if is_short else host != other
