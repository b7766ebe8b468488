"""The Airflow Connections that a terminal knows: those that the environment holds as AIRFLOW_CONN_… in JSON."""

import json
import os
from typing import Any

from changewindow.systems.connection import Connection
from changewindow.systems.measurement import SourceError

PREFIX = "AIRFLOW_CONN_"


def connection_of(name: str, given: str) -> Connection:
    """Return a connection that is written as JSON.

    Raises:
        ValueError, KeyError, AttributeError, TypeError: it is not.
    """
    fields = json.loads(given)
    names = {"host": "", "port": None, "login": "", "password": "", "schema": ""}
    chosen: dict[str, Any] = {name: fields.get(name) or default for name, default in names.items()}
    extra = fields.get("extra") or {}
    extra = json.loads(extra) if isinstance(extra, str) else extra
    return Connection(name, fields["conn_type"], extra=extra, **chosen)


async def from_environment(name: str) -> Connection:
    """Return a connection of the environment.

    Raises:
        SourceError: `unreachable`, there is none that can be read.
    """
    variable = f"{PREFIX}{name.upper()}"
    given = os.environ.get(variable)
    if given is None:
        missing = f"this terminal does not know the connection '{name}'"
        raise SourceError("unreachable", f"{missing}. Set {variable} as for Airflow, or ask by the DAG what_changed")
    try:
        return connection_of(name, given)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise SourceError("invalid", f"{variable} is not a connection as JSON with conn_type. Correct it") from error
