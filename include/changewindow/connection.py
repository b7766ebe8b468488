"""What a step, source or channel may know of an Airflow Connection."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from changewindow.errors import UnusableConnection


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

    @property
    def base_url(self) -> str:
        """Return the address that paths are added to, without a slash at its end.

        Raises:
            UnusableConnection: the connection names no host.
        """
        if not self.host:
            raise UnusableConnection(self.name, "host")
        scheme, _, host = self.host.rpartition("://")
        scheme = scheme or (self.schema if self.schema in {"http", "https"} else "http")
        name, slash, path = host.rstrip("/").partition("/")
        port = f":{self.port}" if self.port else ""
        return f"{scheme}://{name}{port}{slash}{path}"

    @property
    def credentials(self) -> tuple[str, str] | None:
        """Return login and password, or None when the connection has neither."""
        return (self.login, self.password) if self.login or self.password else None

    @property
    def database_url(self) -> str:
        """Return the SQLAlchemy address of the database: PostgreSQL by its fields, SQLite by its file in `host`."""
        if self.kind == "sqlite":
            return f"sqlite:///{self.host}"
        account = f"{quote(self.login, safe='')}:{quote(self.password, safe='')}@" if self.login else ""
        port = f":{self.port}" if self.port else ""
        return f"postgresql+psycopg2://{account}{self.host}{port}/{self.schema}"
