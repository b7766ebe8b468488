"""The trigger of a question for a retroactive approval."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

from changewindow.errors import ChangeError
from changewindow.flow.airflow_connection import ledger_in_trigger
from changewindow.flow.triggerer.answers import answer_to
from changewindow.flow.triggerer.arguments import OwedArguments
from changewindow.flow.triggers import PARKED, ChangeTrigger
from changewindow.ledger import aftercare

log = logging.getLogger(__name__)
EVERY = 15.0
"""Seconds between two looks at what the change owes."""


class OwedTrigger(ChangeTrigger[OwedArguments]):
    """Fires when the approval is owed no longer; an answer wakes the task by itself, unless it came too early."""

    form = OwedArguments

    async def decided(self) -> dict[str, Any]:
        """Wait for an answer that came at once, then until there is no point in one."""
        await asyncio.sleep(PARKED)
        if answer := await answer_to(self.arguments.asks):
            return answer
        while datetime.now(UTC) < self.arguments.deadline:
            if not await self._is_asked():
                return {"verdict": "over", "reason": "it owes no retroactive approval any more"}
            await asyncio.sleep(EVERY)
        return {"error": "nobody has answered in time", "error_type": "timeout"}

    async def _is_asked(self) -> bool:
        """Return whether the approval is owed still; while nobody can say, it is."""
        try:
            owed = await asyncio.to_thread(aftercare.of_change, await ledger_in_trigger(), self.arguments.owes)
        except ChangeError as error:
            log.warning("%s", error)
            return True
        return owed is not None and owed.is_asked
