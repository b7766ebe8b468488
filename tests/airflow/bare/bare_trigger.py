"""The smallest trigger that can see a breach: asks an address every second until it answers badly, or time is over."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
from airflow.triggers.base import BaseTrigger, TriggerEvent


class BareTrigger(BaseTrigger):
    """Fires with whether the address answered well until the end."""

    def __init__(self, url: str, seconds: float, every: float) -> None:
        super().__init__()
        self.given = {"url": url, "seconds": seconds, "every": every}

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of the class and its arguments."""
        return "bare_trigger.BareTrigger", self.given

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask until it is known."""
        end = time.time() + self.given["seconds"]
        async with httpx.AsyncClient() as client:
            while time.time() < end:
                if (await client.get(self.given["url"])).status_code != 200:
                    yield TriggerEvent({"good": False})
                    return
                await asyncio.sleep(self.given["every"])
        yield TriggerEvent({"good": True})
