"""Triggers: read conditions in the triggerer, where a waiting change costs no worker."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from changewindow.condition import Condition
from changewindow.flow import by_hand
from changewindow.flow.runtime import connection_in_trigger
from changewindow.watching import until_good, watch

log = logging.getLogger(__name__)
PARKED = 1.0
"""Seconds before a trigger may fire: Airflow 3.3.2 fails a task whose trigger fires while it is still being parked."""
LONGEST_NAP = 60.0
"""Seconds after which a trigger looks at the clock again, which may have been set."""


def dump(conditions: Sequence[Condition]) -> list[dict[str, Any]]:
    """Return conditions as a trigger can carry them; they name connections and hold no secret."""
    return [condition.model_dump(mode="json", by_alias=True, exclude_none=True) for condition in conditions]


class HandTrigger(BaseTrigger):
    """What all triggers share: their arguments, and that a person may end their change at any moment."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        self.arguments = arguments

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of the class and its arguments."""
        return f"{type(self).__module__}.{type(self).__qualname__}", self.arguments

    async def decided(self) -> dict[str, Any]:
        """Return what is decided without a person."""
        raise NotImplementedError

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire when it is decided, or when a person has ended the change."""
        parked = asyncio.create_task(asyncio.sleep(PARKED))
        change = self.arguments.get("change")
        deciding = {asyncio.create_task(self.decided())}
        if change:
            deciding.add(asyncio.create_task(by_hand.ended(change)))
        done, rest = await asyncio.wait(deciding, return_when=asyncio.FIRST_COMPLETED)
        for one in rest:
            one.cancel()
        await parked
        yield TriggerEvent(done.pop().result())


class WindowTrigger(HandTrigger):
    """Fires when the window opens. Arguments: `change`, `opens` as ISO 8601."""

    async def decided(self) -> dict[str, Any]:
        """Wait for the moment."""
        opens = datetime.fromisoformat(self.arguments["opens"])
        while True:
            left = (opens - datetime.now(UTC)).total_seconds()
            if left <= 0:
                return {"verdict": "pass", "reason": "the window is open"}
            await asyncio.sleep(min(left, LONGEST_NAP))


class ConditionsTrigger(HandTrigger):
    """What reads conditions."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.conditions = [Condition.model_validate(one) for one in arguments["conditions"]]
        self.every = timedelta(seconds=arguments["every"])


class GoodTrigger(ConditionsTrigger):
    """Fires when all conditions are good at once, or at the deadline.

    Arguments: `change` (None on the way back, which nobody aborts), `conditions`, `every` in seconds, `deadline` as
    ISO 8601.
    """

    async def decided(self) -> dict[str, Any]:
        """Read until good."""
        deadline = datetime.fromisoformat(self.arguments["deadline"])
        found = await until_good(
            self.conditions, connection_in_trigger, every=self.every, deadline=deadline, tell=log.info
        )
        return found.as_json()


class WatchTrigger(ConditionsTrigger):
    """Fires when the watch is decided.

    Arguments: `change`, `conditions`, `every` and `length` in seconds, `since` as ISO 8601.
    """

    async def decided(self) -> dict[str, Any]:
        """Watch."""
        since = datetime.fromisoformat(self.arguments["since"])
        length = timedelta(seconds=self.arguments["length"])
        found = await watch(
            self.conditions,
            connection_in_trigger,
            since=since,
            length=length,
            every=self.every,
            tell=log.info,
        )
        return found.as_json()
