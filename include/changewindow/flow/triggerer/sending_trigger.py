"""The trigger that sends messages: every second it looks for what is new, and waits for no channel."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

from changewindow.changes.sender import Sender
from changewindow.errors import ChangeError
from changewindow.flow.airflow_connection import ledger_in_trigger
from changewindow.flow.message_desk import desk, known_in_trigger
from changewindow.flow.rooms import messages_policy
from changewindow.flow.triggerer.arguments import SendingArguments
from changewindow.flow.triggers import ChangeTrigger

log = logging.getLogger("changewindow")
EVERY = 1.0
"""Seconds between two looks at the ledger."""
NEWS_OF_POLICY = 15.0
"""Seconds after which messages.yaml and the connections are read again."""


class SendingTrigger(ChangeTrigger[SendingArguments]):
    """Fires when its time is over; nothing that goes wrong ends it before."""

    form = SendingArguments

    def __init__(self, **fields: object) -> None:
        super().__init__(**fields)
        self._sender: Sender | None = None
        self._names: set[str] = set()
        """The connections that the sender knows."""
        self._looked = 0.0
        """When it got to know them."""
        self._trouble = ""

    async def decided(self) -> dict[str, Any]:
        """Send."""
        try:
            while datetime.now(UTC) < self.arguments.until:
                await self._look()
                await asyncio.sleep(EVERY)
        finally:
            if self._sender is not None:
                self._sender.close()
        return {"verdict": "pass", "reason": "sent for an hour; the next run goes on"}

    async def _look(self) -> None:
        """Send what there is; what stands against it is said once."""
        try:
            await asyncio.to_thread((await self._ready()).look)
            self._trouble = ""
        except (ChangeError, ValueError, OSError) as error:
            if str(error) != self._trouble:
                log.warning("messages wait: %s", error)
            self._trouble = str(error)

    async def _ready(self) -> Sender:
        """Return a sender that knows messages.yaml and the connections as they are, or were seconds ago."""
        before, at = self._sender, asyncio.get_running_loop().time()
        if before is not None and at - self._looked < NEWS_OF_POLICY:
            return before
        policy = await asyncio.to_thread(messages_policy, before.desk.policy if before else None)
        known = await known_in_trigger(policy)
        made = await asyncio.to_thread(desk, await ledger_in_trigger(), policy, known, log.warning)
        if before is None or (before.desk.policy, self._names) != (policy, set(known)):
            before = Sender(made)  # one that does not know yet which changes have their messages
        before.desk = made
        self._sender, self._names, self._looked = before, set(known), at
        return before
