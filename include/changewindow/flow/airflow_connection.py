"""Turns an Airflow Connection into what the core knows of it."""

from typing import Any

from airflow.sdk.exceptions import AirflowException

from changewindow.connection import Connection
from changewindow.errors import UnusableConnection


def as_ours(name: str, found: Any) -> Connection:
    """Return a connection of Airflow as the core knows it; the address of a database is made when it is asked for."""
    return Connection(
        name=name,
        kind=found.conn_type or "",
        host=found.host or "",
        port=found.port,
        login=found.login or "",
        password=found.password or "",
        schema=found.schema or "",
        extra=found.extra_dejson,
        url_of_hook=lambda: _url_of_hook(name, found),
    )


def _url_of_hook(name: str, found: Any) -> str:
    """Return the SQLAlchemy address of a database as its provider makes it, without fetching the connection again."""
    try:
        hook = found.get_hook(hook_params={"connection": found})
        return str(hook.sqlalchemy_url.render_as_string(hide_password=False))
    except NotImplementedError:
        return str(hook.get_uri())
    except (AirflowException, ImportError, TypeError, AttributeError) as error:
        raise UnusableConnection(name, "type of a database whose Airflow provider is installed") from error
