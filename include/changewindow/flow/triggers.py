"""Triggers: read conditions in the triggerer, where a waiting change costs no worker."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from changewindow.errors import ChangeError
from changewindow.flow.airflow_connection import connection_in_trigger, past_in_trigger
from changewindow.flow.triggerer import abort_signal
from changewindow.flow.triggerer.garbage import put_aside
from changewindow.flow.triggerer.log_writer import tell, told
from changewindow.flow.triggerer.progress_writer import ledger, notebook
from changewindow.ledger import watches
from changewindow.watch.baseline_readings import take_before
from changewindow.watch.condition import Condition
from changewindow.watch.progress import Progress
from changewindow.watch.sampling import Sampling
from changewindow.watch.watch import Wanted, Watched, until_good, watch

log = logging.getLogger(__name__)
PARKED = 1.0
"""Seconds before a trigger may fire: Airflow 3.3.2 fails a task whose trigger fires while it is still being parked."""
LONGEST_WRITE = 1.0
"""Seconds a verdict waits for the ledger."""
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
        deciding = asyncio.create_task(self.decided())
        by_person = asyncio.create_task(abort_signal.ended(self.arguments.get("change")))
        parked = asyncio.create_task(asyncio.sleep(PARKED))
        try:
            await asyncio.wait({deciding, by_person}, return_when=asyncio.FIRST_COMPLETED)
            if not deciding.done():
                self.ended(by_person.result()["reason"])
            found = (deciding if deciding.done() else by_person).result()
            await told()
            await parked
        finally:
            # Airflow cancels a trigger that nobody waits for any more; what it has begun must not go on alone.
            for task in (deciding, by_person, parked):
                task.cancel()
        yield TriggerEvent(found)

    def ended(self, reason: str) -> None:
        """Take note that a person has ended the change."""


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


class GoodTrigger(HandTrigger):
    """Fires when all conditions are good at once, or at the deadline.

    Arguments: `change` (None on the way back, which nobody aborts), `asker` (the change all the same), `conditions`,
    `every` and `settle` in seconds (so long all stay good), `deadline` as ISO 8601, `before` (the readings of before
    the change by condition).
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.wanted = Wanted(
            parse(arguments["conditions"]),
            timedelta(seconds=arguments["every"]),
            datetime.fromisoformat(arguments["deadline"]),
            before=arguments["before"],
            change=arguments["asker"],
            settle=timedelta(seconds=arguments["settle"]),
        )

    async def decided(self) -> dict[str, Any]:
        """Read until good."""
        return (await until_good(self.wanted, connection_in_trigger, tell=tell, past=past_in_trigger)).as_json()


class BaselineTrigger(HandTrigger):
    """Fires when all readings of before are taken, or at the deadline.

    Arguments: `change`, `conditions`, `deadline` as ISO 8601.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.conditions = parse(arguments["conditions"])
        self.deadline = datetime.fromisoformat(arguments["deadline"])

    async def decided(self) -> dict[str, Any]:
        """Read as often as the comparisons want."""
        options = {"deadline": self.deadline, "tell": tell, "change": self.arguments["change"], "past": past_in_trigger}
        taken = await take_before(self.conditions, connection_in_trigger, **options)
        against = [one.against() for one in taken]
        reason = "; ".join(one for one in against if one)
        before = {one.condition.name: one.values for one in taken}
        return {"verdict": "fail" if reason else "pass", "reason": reason, "before": before}


class WatchTrigger(HandTrigger):
    """Fires when the watch is decided; the one that takes its place when its process dies goes on with its counts.

    Arguments: `change`, `run`, `conditions`, `since` as ISO 8601, and in seconds `length`, `every`, `at_first` and
    `later` (None: `every` to the end); `unknown`, `asked_until` (None: nobody is asked yet), and `before` (the readings
    of before the change by condition).
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        later = arguments["later"]
        sampling = Sampling(
            every=timedelta(seconds=arguments["every"]),
            at_first=timedelta(seconds=arguments["at_first"]),
            later=None if later is None else timedelta(seconds=later),
            phase=random.random(),  # noqa: S311 - spreads the load, keeps no secret
        )
        since, length = datetime.fromisoformat(arguments["since"]), timedelta(seconds=arguments["length"])
        asked = arguments["asked_until"]
        self.watched = Watched(
            parse(arguments["conditions"]),
            since,
            length,
            sampling,
            unknown=arguments["unknown"],
            asked_until=datetime.fromisoformat(asked) if asked else None,
            before=arguments["before"],
            change=arguments["change"],
        )
        self.progress: Progress | None = None

    async def decided(self) -> dict[str, Any]:
        """Watch, from where an earlier process stopped."""
        put_aside()
        found = await watch(
            self.watched,
            connection_in_trigger,
            tell=tell,
            keep=self.keep,
            before=await self._before(),
            past=past_in_trigger,
        )
        # The ledger is to have the last reading before the way back begins, but the way back does not wait for it long.
        await asyncio.wait({asyncio.create_task(notebook().write())}, timeout=LONGEST_WRITE)
        return found.as_json()

    def keep(self, progress: Progress) -> None:
        """Take note of how far it is."""
        self.progress = progress
        notebook().keep(self.arguments["change"], self.arguments["run"], progress)

    def ended(self, reason: str) -> None:
        """Take note that a person has ended it."""
        if self.progress:
            self.progress.decided = ("fail", reason)
            self.keep(self.progress)

    async def _before(self) -> Progress | None:
        try:
            kept = await asyncio.to_thread(watches.newest, await ledger(), self.arguments["change"])
        except ChangeError as error:
            log.warning("how far this watch was is not known, so it begins anew: %s", error)
            return None
        return kept.progress if kept and kept.run == self.arguments["run"] else None


def parse(conditions: Sequence[dict[str, Any]]) -> tuple[Condition, ...]:
    """Return the conditions that `dump` gave.

    Raises:
        ValidationError: they are none.
    """
    return tuple(Condition.model_validate(one) for one in conditions)
