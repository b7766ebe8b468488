"""Writes the progress of all watches of a triggerer into the ledger: in one transaction, beside the watching."""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime

from changewindow.errors import ChangeError
from changewindow.flow.airflow_connection import ledger_in_trigger
from changewindow.ledger import watches
from changewindow.ledger.watches import Kept
from changewindow.watch.progress import Progress

log = logging.getLogger(__name__)
PAUSE = 0.5
"""Seconds between two transactions; so much of a watch may be lost when a triggerer is killed."""


@dataclass
class ProgressWriter:
    """The watches of which the ledger does not yet have the newest progress."""

    fresh: dict[str, tuple[str, Progress]] = field(default_factory=dict)
    """The run and the progress by change."""
    one_writes: asyncio.Lock = field(default_factory=asyncio.Lock)
    writing: "asyncio.Task[None] | None" = None

    def keep(self, change: str, run: str, progress: Progress) -> None:
        """Take note that a watch went on; it is written soon."""
        self.fresh[change] = (run, progress)
        if self.writing is None or self.writing.done():
            self.writing = asyncio.create_task(self._go_on())

    async def write(self) -> None:
        """Write what is fresh; what cannot be written now stays fresh."""
        async with self.one_writes:
            taken, self.fresh = self.fresh, {}
            at = datetime.now(UTC)
            kept = [Kept(change, run, progress.snapshot(), at) for change, (run, progress) in taken.items()]
            try:
                written = await asyncio.to_thread(watches.keep, await ledger_in_trigger(), kept)
            except ChangeError as error:
                log.warning("how far %d watches are is not written: %s", len(kept), error)
                self.fresh = {**taken, **self.fresh}
                return
            for change, count in written.items():
                del taken[change][1].unwritten[:count]

    async def _go_on(self) -> None:
        while self.fresh:
            await self.write()
            await asyncio.sleep(PAUSE)
