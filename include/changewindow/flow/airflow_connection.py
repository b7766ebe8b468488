"""Fetches Airflow Connections, and turns them into what the core knows of them."""

import asyncio
from contextlib import suppress
from functools import lru_cache
from time import monotonic
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException, AirflowRuntimeError

from changewindow.errors import PlatformError, UnknownConnection, UnusableConnection
from changewindow.flow.own_places import own_places
from changewindow.flow.secrecy import learn, learn_in_trigger
from changewindow.ledger import queries
from changewindow.ledger.database import Ledger
from changewindow.settings import LEDGER_CONNECTION, SLACK_CONNECTION, TICKETS_CONNECTION
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import Past
from changewindow.systems.own_connections import OwnPlaces


def connection(name: str) -> Connection:
    """Return an Airflow Connection as the core knows it.

    Raises:
        UnknownConnection: there is none of this name.
    """
    try:
        return learn(as_ours(name, BaseHook.get_connection(name)))
    except AirflowNotFoundException as error:
        raise UnknownConnection(name) from error


async def connection_in_trigger(name: str) -> Connection:
    """Return an Airflow Connection without blocking; see `connection`.

    Raises:
        UnknownConnection: there is none of this name.
        PlatformError: Airflow does not tell it now: to a watch, an unreachable source.
    """
    try:
        return await learn_in_trigger(as_ours(name, await BaseHook.aget_connection(name)))
    except AirflowNotFoundException as error:
        raise UnknownConnection(name) from error
    except AirflowRuntimeError as error:
        raise PlatformError(f"Airflow does not tell the connection '{name}' ({error}). Is its database up?") from error


def of_ticket(name: str) -> Connection:
    """Return an Airflow Connection for what a ticket does.

    Raises:
        UnknownConnection: there is none of this name.
        OwnConnection: it leads to our own databases or services.
    """
    known = connection(name)
    _own(_ours_like(known), _minute()).require_foreign(known)
    return known


async def of_ticket_in_trigger(name: str) -> Connection:
    """Return the same without blocking; see `of_ticket` and `connection_in_trigger`."""
    known = await connection_in_trigger(name)
    asked = (_ours_like(known), _minute())
    if asked not in _own_in_trigger:
        places = own_places([own for like in asked[0] if (own := await _known_in_trigger(like))])
        for older in [key for key in _own_in_trigger if key[1] != asked[1]]:
            del _own_in_trigger[older]
        _own_in_trigger[asked] = places
    else:
        places = _own_in_trigger[asked]
    await asyncio.to_thread(places.require_foreign, known)
    return known


def _ours_like(known: Connection) -> tuple[str, ...]:
    """Return our own connections to which one could lead as well, so that no others are looked up."""
    slack = (SLACK_CONNECTION,) if "slack" in f"{known.kind} {known.host}" else ()
    return (LEDGER_CONNECTION, *slack, *((TICKETS_CONNECTION,) if known.kind == "git" else ()))


def _minute() -> int:
    return int(monotonic() // 60)


@lru_cache(maxsize=8)
def _own(names: tuple[str, ...], minute: int) -> OwnPlaces:
    """Return where our own databases and services are."""
    ours = []
    for name in names:
        with suppress(UnknownConnection):
            ours.append(connection(name))
    return own_places(ours)


_own_in_trigger: dict[tuple[tuple[str, ...], int], OwnPlaces] = {}
"""The same for this minute, for all triggers of the process."""


async def _known_in_trigger(name: str) -> Connection | None:
    with suppress(UnknownConnection):
        return await connection_in_trigger(name)
    return None


async def ledger_in_trigger() -> Ledger:
    """Return the ledger without blocking."""
    return Ledger((await connection_in_trigger(LEDGER_CONNECTION)).database_url)


async def past_in_trigger(change: str, environment: str) -> Past:
    """Return what the ledger knows of earlier changes, without blocking; see `queries.past`."""
    ledger = await ledger_in_trigger()
    return await asyncio.to_thread(queries.past, ledger, change, environment)


def as_ours(name: str, known: Any) -> Connection:
    """Return a connection of Airflow as the core knows it; the address of a database is made when it is asked for."""
    return Connection(
        name=name,
        kind=known.conn_type or "",
        host=known.host or "",
        port=known.port,
        login=known.login or "",
        password=known.password or "",
        schema=known.schema or "",
        extra=known.extra_dejson,
        url_of_hook=lambda: _url_of_hook(name, known),
    )


def _url_of_hook(name: str, known: Any) -> str:
    """Return the SQLAlchemy address of a database as its provider makes it, without fetching the connection again."""
    try:
        hook = known.get_hook(hook_params={"connection": known})
        return str(hook.sqlalchemy_url.render_as_string(hide_password=False))
    except NotImplementedError:
        return str(hook.get_uri())
    except (AirflowException, ImportError, TypeError, AttributeError) as error:
        raise UnusableConnection(name, "type of a database whose Airflow provider is installed") from error
