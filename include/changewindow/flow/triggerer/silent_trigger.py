"""The trigger that makes a pass over all collectors, where waiting for them costs no worker."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from changewindow import settings
from changewindow.changes.silent_pass import Asked, make_pass, of_the_world
from changewindow.errors import ChangeError, UnknownConnection
from changewindow.flow.airflow_connection import connection_in_trigger, ledger_in_trigger
from changewindow.flow.triggerer.arguments import SilentArguments
from changewindow.flow.triggers import ChangeTrigger
from changewindow.policy.collectors import Loaded, load_collectors
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import SourceError
from changewindow.ticket.named_connections import named_connections


class SilentTrigger(ChangeTrigger[SilentArguments]):
    """Fires when the pass is written; of one that is made twice, the second finds nothing new."""

    form = SilentArguments

    async def decided(self) -> dict[str, Any]:
        """Make the pass."""
        try:
            places = settings.read()
            loaded = await asyncio.to_thread(load_collectors, places.policy)
            known = await _connections(loaded)
            asked = Asked(loaded.collectors, _lookup(known), places.collected, loaded.expected)
            new = await asyncio.to_thread(make_pass, await ledger_in_trigger(), asked, datetime.now(UTC))
        except (ChangeError, ValueError, OSError) as error:
            return {"verdict": "fail", "reason": str(error)}
        looked = sorted(of_the_world(loaded.collectors))
        return {"verdict": "pass", "reason": f"new findings: {len(new)}", "collectors": looked}


async def _connections(loaded: Loaded) -> dict[str, Connection]:
    """Return the connections of collectors, fetched before they are asked: their threads do not talk to Airflow."""
    names = {use.name for collector in loaded.collectors.values() for use in named_connections(collector)}
    known = {}
    for name in sorted(names):
        with suppress(UnknownConnection):
            known[name] = await connection_in_trigger(name)
    return known


def _lookup(known: dict[str, Connection]) -> Any:
    async def of(name: str) -> Connection:
        if name in known:
            return known[name]
        missing = f"there is no Airflow Connection '{name}'"
        raise SourceError("unreachable", f"{missing}. Create it under Admin, Connections, or correct collectors.yaml")

    return of
