"""Triggers: read conditions in the triggerer, where a waiting change costs no worker."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Generic, Self, TypeVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from changewindow.errors import ChangeError
from changewindow.flow.airflow_connection import ledger_in_trigger, of_ticket_in_trigger, past_in_trigger
from changewindow.flow.triggerer.answers import answer_to
from changewindow.flow.triggerer.arguments import (
    FOR_TASK,
    Arguments,
    BaselineArguments,
    GoodArguments,
    QuestionArguments,
    WatchArguments,
    WindowArguments,
)
from changewindow.flow.triggerer.garbage import put_aside
from changewindow.flow.triggerer.log_writer import flush, write_line
from changewindow.flow.triggerer.services import services
from changewindow.flow.triggerer.silence_renewal import silences_renewed
from changewindow.ledger import watches
from changewindow.watch.baseline_readings import take_baselines
from changewindow.watch.progress import Progress
from changewindow.watch.sampling import Sampling
from changewindow.watch.watch import Wanted, Watched, until_good, watch

log = logging.getLogger(__name__)
A = TypeVar("A", bound=Arguments)
PARKED = 1.0
"""Seconds before a trigger may fire: Airflow 3.3.2 fails a task whose trigger fires while it is still being parked."""
LONGEST_WRITE = 1.0
"""Seconds a verdict waits for the ledger."""
LONGEST_NAP = 60.0
"""Seconds after which a trigger looks at the clock again, which may have been set."""


class ChangeTrigger(BaseTrigger, Generic[A]):
    """What all triggers share: what they carry, and that their change, or their part in it, may end at any moment.

    Airflow makes them from the arguments in its database; whoever defers to one uses `of`, which is checked for types.
    """

    form: type[A]
    """The arguments of this kind of trigger."""

    def __init__(self, **fields: object) -> None:
        super().__init__()
        self.arguments: A = self.form.model_validate(fields)

    @classmethod
    def of(cls, arguments: A) -> Self:
        """Return a trigger with these arguments."""
        return cls(**dict(arguments))

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of the class and its arguments."""
        return f"{type(self).__module__}.{type(self).__qualname__}", self.arguments.model_dump(mode="json")

    @property
    def asks(self) -> str:
        """Return the run that asks people whether the change is kept, if one does."""
        return ""

    async def decided(self) -> dict[str, Any]:
        """Return what is decided without a person."""
        raise NotImplementedError

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire when it is decided, or when the change or the run's part in it has ended."""
        deciding = asyncio.create_task(self.decided())
        by_person = asyncio.create_task(services().aborts.ended(self.arguments.change, self.arguments.part, self.asks))
        parked = asyncio.create_task(asyncio.sleep(PARKED))
        try:
            await asyncio.wait({deciding, by_person}, return_when=asyncio.FIRST_COMPLETED)
            if not deciding.done() and "verdict" in by_person.result():
                self.ended(by_person.result()["reason"])
            payload = (deciding if deciding.done() else by_person).result()
            await flush()
            await parked
        finally:
            # Airflow cancels a trigger that nobody waits for any more; what it has begun must not go on alone.
            for task in (deciding, by_person, parked):
                task.cancel()
        yield TriggerEvent({**payload, FOR_TASK: str(self.task_instance.id)} if self.task_instance else payload)

    def ended(self, reason: str) -> None:
        """Take note that a person has ended the change."""


class WindowTrigger(ChangeTrigger[WindowArguments]):
    """Fires when the window opens."""

    form = WindowArguments

    async def decided(self) -> dict[str, Any]:
        """Wait for the moment."""
        await _until(self.arguments.opens)
        return {"verdict": "pass", "reason": "the window is open"}


class QuestionTrigger(ChangeTrigger[QuestionArguments]):
    """Fires when nobody has answered in time; an answer wakes the task by itself, unless it came before it was parked.

    What fires first when a question has become pointless is what all triggers share: then it is asked no longer.
    """

    form = QuestionArguments

    async def decided(self) -> dict[str, Any]:
        """Wait for an answer that came at once, then for the deadline."""
        await asyncio.sleep(PARKED)
        if answer := await answer_to(self.arguments.asks):
            return answer
        await _until(self.arguments.deadline)
        return {"error": "nobody has answered in time", "error_type": "timeout"}


async def _until(moment: datetime) -> None:
    """Wait for a moment."""
    while True:
        left = (moment - datetime.now(UTC)).total_seconds()
        if left <= 0:
            return
        await asyncio.sleep(min(left, LONGEST_NAP))


class GoodTrigger(ChangeTrigger[GoodArguments]):
    """Fires when all conditions are good at once, or at the deadline."""

    form = GoodArguments

    async def decided(self) -> dict[str, Any]:
        """Read until good."""
        asked = self.arguments
        wanted = Wanted(
            asked.conditions,
            asked.every,
            asked.deadline,
            baselines=asked.before,
            change=asked.asker,
            settle=asked.settle,
        )
        async with silences_renewed(asked.silencing, "verify"):
            return (await until_good(wanted, of_ticket_in_trigger, log=write_line, past=past_in_trigger)).as_json()


class BaselineTrigger(ChangeTrigger[BaselineArguments]):
    """Fires when the baseline is read, or at the deadline."""

    form = BaselineArguments

    async def decided(self) -> dict[str, Any]:
        """Read as often as the comparisons want."""
        asked = self.arguments
        baselines = await take_baselines(
            asked.conditions,
            of_ticket_in_trigger,
            deadline=asked.deadline,
            log=write_line,
            change=asked.change,
            past=past_in_trigger,
        )
        reason = "; ".join(text for baseline in baselines if (text := baseline.unusable()))
        before = {baseline.condition.name: baseline.values for baseline in baselines}
        return {"verdict": "fail" if reason else "pass", "reason": reason, "before": before}


class WatchTrigger(ChangeTrigger[WatchArguments]):
    """Fires when the watch is decided; the one that takes its place when its process dies goes on with its counts."""

    form = WatchArguments

    def __init__(self, **fields: object) -> None:
        super().__init__(**fields)
        asked = self.arguments
        sampling = Sampling(
            every=asked.every,
            at_first=asked.at_first,
            later=asked.later,
            phase=random.random(),  # noqa: S311 - spreads the load, keeps no secret
        )
        self.watched = Watched(
            asked.conditions,
            asked.since,
            asked.length,
            sampling,
            unknown=asked.unknown,
            asked_until=asked.asked_until,
            baselines=asked.before,
            change=asked.change,
        )
        self.progress: Progress | None = None

    async def decided(self) -> dict[str, Any]:
        """Watch, from where an earlier process stopped."""
        put_aside()
        before = await self._before()
        async with silences_renewed(self.arguments.silencing, "watch"):
            decided = await watch(
                self.soon(before),
                of_ticket_in_trigger,
                log=write_line,
                keep=self.keep,
                resume_from=before,
                past=past_in_trigger,
            )
        # The ledger is to have the last reading before a rollback begins, but the rollback does not wait for it long.
        await asyncio.wait({asyncio.create_task(services().progress.write())}, timeout=LONGEST_WRITE)
        return decided.as_json()

    @property
    def asks(self) -> str:
        """Return the run, once it asks."""
        return self.arguments.run if self.arguments.asked_until else ""

    def keep(self, progress: Progress) -> None:
        """Take note of how far it is."""
        self.progress = progress
        services().progress.keep(self.arguments.change, self.arguments.run, progress)

    def ended(self, reason: str) -> None:
        """Take note that a person has ended it."""
        if self.progress:
            self.progress.decided = ("fail", reason)
            self.keep(self.progress)

    def soon(self, before: Progress | None = None) -> Watched:
        """Return what is watched from now on: with its first sample when due, or at the pace of another trigger."""
        if before and not before.is_handed_over:
            return self.watched
        due = before.at + self.arguments.every if before else self.arguments.first_by
        begun = max(self.watched.since, datetime.now(UTC))
        return replace(self.watched, sampling=self.watched.sampling.first_by(due, begun)) if due else self.watched

    async def _before(self) -> Progress | None:
        try:
            kept = await asyncio.to_thread(watches.newest, await ledger_in_trigger(), self.arguments.change)
        except ChangeError as error:
            log.warning("how far this watch was is not known, so it begins anew: %s", error)
            return None
        is_ours = kept and (kept.run, kept.progress.since) == (self.arguments.run, self.arguments.since)
        return kept.progress if kept and is_ours else None
