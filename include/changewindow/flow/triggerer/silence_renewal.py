"""Renews the silences of a change while a trigger waits for its sake, beside what it reads."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from changewindow import settings
from changewindow.changes.silencing import RENEWALS, Silencer, Silencing, known
from changewindow.errors import ChangeError
from changewindow.flow.airflow_connection import ledger_in_trigger, of_ticket_in_trigger
from changewindow.flow.secrecy import SECRETS, clean
from changewindow.flow.triggerer.log_writer import write_at
from changewindow.ledger import events
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import Payload
from changewindow.systems.measurement import SourceContext
from changewindow.watch.shared_answers import client

log = logging.getLogger(__name__)


@asynccontextmanager
async def silences_renewed(silencing: Silencing | None, actor: str) -> AsyncIterator[None]:
    """Renew them until the block ends, which nothing waits for."""
    renewing = asyncio.create_task(_renew(silencing, actor)) if silencing else None
    try:
        yield
    finally:
        if renewing:
            renewing.cancel()


async def _renew(silencing: Silencing, actor: str) -> None:
    lease = settings.read().silence_lease
    while True:
        try:
            await _keep(silencing, actor)
        except Exception as error:  # noqa: BLE001  whatever it is, the next renewal may work
            log.warning("the silences of %s are not renewed: %s", silencing.change, error)
        await asyncio.sleep(lease.total_seconds() / RENEWALS)


async def _keep(silencing: Silencing, actor: str) -> None:
    ledger = await ledger_in_trigger()

    def write(payload: Payload) -> None:
        _record(ledger, Event(silencing.change, f"{silencing.run}/{actor}", datetime.now(UTC), clean(payload)))

    async with client() as http:
        context = SourceContext(http, of_ticket_in_trigger, change=silencing.change, secrets=SECRETS)
        recorded = partial(known, ledger, silencing)
        await Silencer(silencing, recorded, context, settings.read().silence_lease, write, write_at).keep()


def _record(ledger: Ledger, event: Event) -> None:
    try:
        events.record(ledger, event)
    except ChangeError as error:
        log.warning("an event about a silence of %s is not recorded: %s", event.change, error)
