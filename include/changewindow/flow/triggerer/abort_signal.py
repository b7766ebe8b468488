"""Signals triggers that their change, or their run's part in it, has ended: one question to the ledger a second.

However many wait, they share it.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from changewindow.changes.run_part import Part, why_over
from changewindow.errors import ChangeError
from changewindow.flow.airflow_connection import ledger_in_trigger
from changewindow.ledger import queries
from changewindow.ledger.models import Change

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
        self.waiting: Counter[str] = Counter()
        """By change, how many triggers wait for the sake of something that may be over."""
        self.known: dict[str, Change] = {}
        """What the ledger says of these changes."""

    async def about(self, change: str) -> str | None:
        """Return why a person ended the change, or None; a ledger that is down says nothing new."""
        async with self.asking:
            if time.monotonic() - self.asked >= EVERY:
                self.asked = time.monotonic()
                await self._ask()
        return self.reasons.get(change)

    async def ended(self, change: str | None, part: Part | None = None) -> dict[str, Any]:
        """Return, once a person has ended the change or the part in it is over, what follows; never without a change.

        The verdict is `fail`, or `over`.
        """
        if change is None:
            await asyncio.Event().wait()
        with self._waits(str(change), part):
            while True:
                reason = await self.about(str(change))
                if reason is not None:
                    return {"verdict": "fail", "reason": reason, "samples": 0, "readings": []}
                known = self.known.get(str(change))
                if part and known and (over := why_over(part, known)):
                    return {"verdict": "over", "reason": over, "samples": 0, "readings": []}
                await asyncio.sleep(EVERY)

    @contextmanager
    def _waits(self, change: str, part: Part | None) -> Iterator[None]:
        """Have the ledger asked about the change while its trigger waits, if it waits for the sake of something."""
        self.waiting[change] += part is not None
        try:
            yield
        finally:
            self.waiting[change] -= part is not None
            if self.waiting[change] <= 0:
                del self.waiting[change]
                self.known.pop(change, None)

    async def _ask(self) -> None:
        try:
            since, here = datetime.now(UTC) - RECENT, await ledger_in_trigger()
            self.reasons = await asyncio.to_thread(queries.ended_by_hand, here, since)
            if self.waiting:
                rows = await asyncio.to_thread(queries.of_ids, here, list(self.waiting))
                self.known = {row.id: row for row in rows}
        except ChangeError as error:
            log.warning("%s", error)
