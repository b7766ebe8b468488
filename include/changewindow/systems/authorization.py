"""How a connection signs HTTP requests, where login and password are not what a service wants."""

from changewindow.errors import UnusableConnection
from changewindow.systems.connection import Connection


def headers(connection: Connection) -> dict[str, str] | None:
    """Return the header that carries the connection's password; None where login and password do.

    Extra `header` is its name, like `Authorization` or `X-API-Key`, and extra `scheme` a word before the password,
    like `Bearer`.
    """
    name, scheme = (str(connection.extra.get(field, "")) for field in ("header", "scheme"))
    if not name and not scheme:
        return None
    if not connection.password:
        raise UnusableConnection(connection.name, "password")
    return {name or "Authorization": f"{scheme} {connection.password}".strip()}
