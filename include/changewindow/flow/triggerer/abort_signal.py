"""Signals triggers that a person has ended their change: one question to the ledger a second, however many wait."""

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from changewindow.errors import ChangeError
from changewindow.flow.airflow_connection import ledger_in_trigger
from changewindow.ledger import queries

log = logging.getLogger(__name__)
EVERY = 1.0
"""Seconds between two looks."""
RECENT = timedelta(days=1)


class AbortSignal:
    """The newest answer of the ledger, shared by the triggers of one event loop."""

    def __init__(self) -> None:
        self.asking = asyncio.Lock()
        self.asked = -EVERY
        self.reasons: dict[str, str] = {}

    async def about(self, change: str) -> str | None:
        """Return why a person ended the change, or None; a ledger that is down says nothing new."""
        async with self.asking:
            if time.monotonic() - self.asked >= EVERY:
                self.asked = time.monotonic()
                self.reasons = await self._ask()
        return self.reasons.get(change)

    async def ended(self, change: str | None) -> dict[str, Any]:
        """Return, once a person has ended the change, the decision that follows; never without a change."""
        if change is None:
            await asyncio.Event().wait()
        while True:
            reason = await self.about(str(change))
            if reason is not None:
                return {"verdict": "fail", "reason": reason, "samples": 0, "readings": []}
            await asyncio.sleep(EVERY)

    async def _ask(self) -> dict[str, str]:
        try:
            since = datetime.now(UTC) - RECENT
            return await asyncio.to_thread(queries.ended_by_hand, await ledger_in_trigger(), since)
        except ChangeError as error:
            log.warning("%s", error)
            return self.reasons
