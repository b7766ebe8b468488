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
from changewindow.errors import BrokenChain, ChangeError
from changewindow.flow.airflow_connection import ledger_in_trigger
from changewindow.ledger import approvals, queries, questions
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Change
from changewindow.ledger.payloads import Answered

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
        self.given: dict[str, int] = {}
        """How many approvals they have."""
        self.undecided: dict[str, str] = {}
        """By change, the run that asks whether it is kept."""
        self.answers: dict[str, Answered] = {}
        """What people have answered."""

    async def about(self, change: str) -> str | None:
        """Return why a person ended the change, or None; a ledger that is down says nothing new."""
        async with self.asking:
            if time.monotonic() - self.asked >= EVERY:
                self.asked = time.monotonic()
                await self._ask()
        return self.reasons.get(change)

    async def ended(self, change: str | None, part: Part | None = None, asks: str = "") -> dict[str, Any]:
        """Return, once a person has ended the change or the part in it is over, what follows; never without a change.

        The verdict is `fail`, or `over`. If people are asked whether it is kept, by a run that `asks`, it is also what
        they have answered elsewhere, in the form of Airflow's own answers.
        """
        if change is None:
            await asyncio.Event().wait()
        with self._waits(str(change), part, asks):
            while True:
                reason = await self.about(str(change))
                if reason is not None:
                    return {"verdict": "fail", "reason": reason, "samples": 0, "readings": []}
                known = self.known.get(str(change))
                if part and known and (over := why_over(part, known, self.given.get(str(change), 0))):
                    return {"verdict": "over", "reason": over, "samples": 0, "readings": []}
                if asks and (answer := self.answers.get(str(change))):
                    user = {"id": answer.by, "name": answer.by}
                    return {"chosen_options": list(answer.answer), "params_input": {}, "responded_by_user": user}
                await asyncio.sleep(EVERY)

    @contextmanager
    def _waits(self, change: str, part: Part | None, asks: str) -> Iterator[None]:
        """Have the ledger asked about the change while its trigger waits, if it waits for the sake of something."""
        self.waiting[change] += part is not None
        if asks:
            self.undecided[change] = asks
        try:
            yield
        finally:
            self.waiting[change] -= part is not None
            if self.waiting[change] <= 0:
                del self.waiting[change]
                self.known.pop(change, None)
            if asks and self.undecided.get(change) == asks:
                del self.undecided[change]
                self.answers.pop(change, None)

    async def _ask(self) -> None:
        try:
            since, here = datetime.now(UTC) - RECENT, await ledger_in_trigger()
            self.reasons = await asyncio.to_thread(queries.ended_by_hand, here, since)
            if self.waiting:
                rows = await asyncio.to_thread(queries.of_ids, here, list(self.waiting))
                self.known = {row.id: row for row in rows}
                self.given = await asyncio.to_thread(approvals.counts, here, list(self.waiting), datetime.now(UTC))
            for change, run in list(self.undecided.items()):
                await self._ask_for_answer(here, change, run)
        except ChangeError as error:
            log.warning("%s", error)

    async def _ask_for_answer(self, here: Ledger, change: str, run: str) -> None:
        """Take the answer to a question; one that cannot be read keeps nobody else's from being taken."""
        try:
            answer = await asyncio.to_thread(questions.answers, here, change, run)
        except BrokenChain as error:
            log.warning("%s", error)
            return
        if answer is not None and self.undecided.get(change) == run:
            self.answers[change] = answer
