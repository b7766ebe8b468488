"""The trigger that makes a pass over all collectors, where waiting for them costs no worker."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from changewindow import settings
from changewindow.changes.asking_collectors import Asked
from changewindow.changes.silent_pass import make_pass, of_the_world
from changewindow.collectors.base import CollectorBase
from changewindow.errors import ChangeError, UnknownConnection
from changewindow.flow.airflow_connection import connection_in_trigger, ledger_in_trigger
from changewindow.flow.closing import closing_by_policy_of
from changewindow.flow.fetched_connections import among, names_in
from changewindow.flow.triggerer.arguments import SilentArguments
from changewindow.flow.triggers import ChangeTrigger
from changewindow.policy.collectors import FILE, load_collectors
from changewindow.systems.connection import Connection


class SilentTrigger(ChangeTrigger[SilentArguments]):
    """Fires when the pass is written; of one that is made twice, the second finds nothing new."""

    form = SilentArguments

    async def decided(self) -> dict[str, Any]:
        """Make the pass."""
        try:
            places = settings.read()
            loaded = await asyncio.to_thread(load_collectors, places.policy)
            known = await _known(loaded.collectors.values())
            asked = Asked(loaded.collectors, among(known, FILE), places.collected, loaded.expected)
            why_not = await asyncio.to_thread(closing_by_policy_of, places.policy)
            new = await asyncio.to_thread(make_pass, await ledger_in_trigger(), asked, datetime.now(UTC), why_not)
        except (ChangeError, ValueError, OSError) as error:
            return {"verdict": "fail", "reason": str(error)}
        looked = sorted(of_the_world(loaded.collectors))
        return {"verdict": "pass", "reason": f"new findings: {len(new)}", "collectors": looked}


async def _known(collectors: Iterable[CollectorBase]) -> dict[str, Connection]:
    known = {}
    for name in names_in(collectors):
        with suppress(UnknownConnection):
            known[name] = await connection_in_trigger(name)
    return known
