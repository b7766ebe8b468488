"""The trigger that waits until somebody wants a completed change to be rolled back."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

from changewindow.changes.housekeeping import KEPT
from changewindow.errors import ChangeError
from changewindow.flow.airflow_connection import ledger_in_trigger
from changewindow.flow.triggerer.arguments import WantedArguments
from changewindow.flow.triggers import ChangeTrigger
from changewindow.ledger import presses

log = logging.getLogger(__name__)
EVERY = 1.0
"""Seconds between two looks at the ledger."""


class WantedTrigger(ChangeTrigger[WantedArguments]):
    """Fires when there is a wanted rollback that is not known yet, or when its time is over."""

    form = WantedArguments

    async def decided(self) -> dict[str, Any]:
        """Look."""
        trouble = ""
        while datetime.now(UTC) < self.arguments.until:
            try:
                here, now = await ledger_in_trigger(), datetime.now(UTC)
                wanted = await asyncio.to_thread(presses.wanted_rollbacks, here, now, KEPT)
                trouble = ""
                if any((each.change, each.run) not in self.arguments.known for each in wanted):
                    return {"verdict": "pass", "reason": "a rollback is wanted"}
            except ChangeError as error:
                if trouble != str(error):
                    log.warning("whether a rollback is wanted is not known: %s", error)
                trouble = str(error)
            await asyncio.sleep(EVERY)
        return {"verdict": "pass", "reason": "nothing was wanted"}
