"""The trigger of a gate that waits for room."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from changewindow.flow.triggerer.arguments import RoomArguments
from changewindow.flow.triggerer.services import services
from changewindow.flow.triggers import ChangeTrigger


class RoomTrigger(ChangeTrigger[RoomArguments]):
    """Fires when the change could be watched and rolled back at once, or when it is too late to start."""

    form = RoomArguments

    async def decided(self) -> dict[str, Any]:
        """Wait for room."""
        left = (self.arguments.deadline - datetime.now(UTC)).total_seconds()
        try:
            await asyncio.wait_for(services().room.pass_on(), max(left, 0))
        except TimeoutError:
            return {"verdict": "pass", "reason": "there was no room in time; the gate says more"}
        return {"verdict": "pass", "reason": "there is room"}
