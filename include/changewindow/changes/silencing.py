"""Opens, renews and ends the silences of a run, which never fails and never waits for them.

Who keeps the change alive renews them; when nobody does, they lapse by themselves. What the product has under the mark
of the run is asked each time: whoever died between opening a silence and recording it has left one that is found again.
The record says what is ended, and is asked before and after each renewal, so that none comes back.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from changewindow.errors import ChangeError
from changewindow.ledger import changes, events
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import Payload, Silenced, SilenceEnded, SilenceFailed
from changewindow.ledger.payloads.silencing import Act
from changewindow.silences.base import SilenceBase
from changewindow.systems.measurement import SourceContext, SourceError
from changewindow.systems.silence import Held, Term
from changewindow.ticket.model import AnySilence, Ticket

WITHIN = 8.0
"""Seconds that a product has for all that is asked of it at once."""
RENEWALS = 4
"""How often a silence is renewed in the time that it lasts."""
LONGEST = 200
"""Characters of a summary in the comment of a silence."""
MOST = 1000
"""Characters of what the record says of a silence."""


class Silencing(BaseModel):
    """What one run of a change silences; it names connections and holds no secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    change: str
    run: str
    summary: str
    silences: tuple[AnySilence, ...]

    @classmethod
    def of(cls, change: str, run: str, ticket: Ticket) -> Self | None:
        """Return what a ticket says of it, or nothing."""
        if not ticket.silence:
            return None
        return cls(change=change, run=run, summary=ticket.summary[:LONGEST], silences=ticket.silence)

    def mark(self, number: int) -> str:
        """Return what stands before the comment of one silence of this run, and of no other."""
        return f"{self.change} ({self.run}, silence {number})"


@dataclass(frozen=True)
class Known:
    """What the record says of the silences of a run."""

    is_running: bool
    opened: frozenset[int]
    failed: frozenset[tuple[int, Act]]
    ended: frozenset[int]

    def may_last(self, number: int) -> bool:
        """Return whether a silence may be opened or renewed."""
        return self.is_running and number not in self.ended


def known(ledger: Ledger, silencing: Silencing) -> Known:
    """Return what the record says.

    Raises:
        ChangeError: it cannot be read.
    """
    holder = changes.get(ledger, silencing.change)
    written = events.recorded(ledger, silencing.change, Silenced, SilenceFailed, SilenceEnded)
    ours = [event for event in written if event.run == silencing.run]
    return Known(
        is_running=holder.status == "running" and holder.run == silencing.run,
        opened=frozenset(event.silence for event in ours if isinstance(event, Silenced)),
        failed=frozenset((event.silence, event.act) for event in ours if isinstance(event, SilenceFailed)),
        ended=frozenset(event.silence for event in ours if isinstance(event, SilenceEnded)),
    )


@dataclass(frozen=True)
class Silencer:
    """Acts on the silences of a run."""

    silencing: Silencing
    recorded: Callable[[], Known]
    """Returns what the record says of them; it may block, and raise `ChangeError`."""
    context: SourceContext
    lease: timedelta
    write: Callable[[Payload], None]
    """Writes an event without secrets, and raises nothing; it may block."""
    log: Callable[[int, str], None]
    """Takes a level of `logging` and a line."""

    async def keep(self) -> None:
        """Open what is not open, and renew what is."""
        await asyncio.gather(*(self._keep(*numbered) for numbered in enumerate(self.silencing.silences, 1)))

    async def end(self) -> None:
        """End what this run has opened, for good."""
        await asyncio.gather(*(self._end(*numbered) for numbered in enumerate(self.silencing.silences, 1)))

    async def _keep(self, number: int, silence: SilenceBase) -> None:
        before = await self._known()
        if before is None or not before.may_last(number):
            return
        act: Act = "renew" if number in before.opened else "open"
        event: Payload | None
        try:
            async with asyncio.timeout(WITHIN):
                event = await self._kept(number, silence)
        except Exception as error:  # noqa: BLE001  whatever a product answers, it stops neither the change nor the rest
            event = self._failed(number, silence, act, error)
            event = None if (number, act) in before.failed else event
        after = await self._known()
        if after is not None and not after.may_last(number):
            await self._end(number, silence, is_late=True)
        elif event is not None and not (isinstance(event, Silenced) and act == "renew"):
            await asyncio.to_thread(self.write, event)

    async def _kept(self, number: int, silence: SilenceBase) -> Payload:
        """Have one silence in the product that ends with a term of now; return what is to be recorded."""
        term = self._term(number)
        held = await silence.held(self.context, term)
        lasting = [there for there in held if not there.is_over]
        if changed := _by_hand(held):
            line = f"{changed.comment!r} was ended or changed by hand, and is left to whoever did that"
            self.log(logging.WARNING, line)
            return SilenceEnded(**self._about(number, silence), by_hand=True)
        for copy in lasting[1:]:  # of a try that nobody knows of
            await silence.end(self.context, copy)
        if lasting:
            name = await silence.renew(self.context, term, lasting[0])
        else:
            name = await silence.open(self.context, term)
            lapses = f"{term.until:%H:%M:%S} UTC, unless renewed"
            self.log(logging.INFO, f"silenced until {lapses}: {silence.description()}")
        return Silenced(**self._about(number, silence), id=name, until=term.until)

    async def _end(self, number: int, silence: SilenceBase, *, is_late: bool = False) -> None:
        """End a silence; whoever was late with a renewal ends what that has brought back, and records nothing."""
        before = None if is_late else await self._known()
        try:
            async with asyncio.timeout(WITHIN):
                held = await silence.held(self.context, self._term(number))
                lasting = [there for there in held if not there.is_over and there.is_as_left]
                if lasting and not is_late and (before is None or number not in before.ended):
                    # First, so that nobody renews what is ended.
                    await asyncio.to_thread(self.write, SilenceEnded(**self._about(number, silence)))
                for there in lasting:
                    await silence.end(self.context, there)
        except Exception as error:  # noqa: BLE001  see above
            await asyncio.to_thread(self.write, self._failed(number, silence, "end", error))

    def _term(self, number: int) -> Term:
        now, summary = datetime.now(UTC), self.context.secrets.line(self.silencing.summary)
        return Term(self.silencing.mark(number), summary, now, now + self.lease)

    def _failed(self, number: int, silence: SilenceBase, act: Act, error: Exception) -> SilenceFailed:
        reason = _reason(error, silence.connection)
        failed = f"could not {act} the silence of {silence.description()}, and the change goes on: {reason}"
        self.log(logging.WARNING, failed)
        return SilenceFailed(**self._about(number, silence), act=act, reason=reason[:MOST])

    def _about(self, number: int, silence: SilenceBase) -> dict[str, Any]:
        about = {"silence": number, "what": silence.description()[:MOST], "connection": silence.connection}
        return {**about, "run": self.silencing.run}

    async def _known(self) -> Known | None:
        """Return what the record says; without it nobody may renew, since what is ended must not come back."""
        try:
            return await asyncio.to_thread(self.recorded)
        except ChangeError as error:
            self.log(logging.WARNING, f"what is silenced is not known, so that nothing is renewed: {error}")
            return None


def _reason(error: Exception, connection: str) -> str:
    """Return why nothing is silenced, and what to do where nobody has foreseen that."""
    if isinstance(error, TimeoutError):
        return f"no answer within {WITHIN:g} s"
    if isinstance(error, SourceError | ChangeError):
        return str(error)
    what = f"'{connection}' answered something that cannot be read ({type(error).__name__}: {error})"
    return f"{what}. Check that the host of the connection is the address of its API."


def _by_hand(held: list[Held]) -> Held | None:
    """Return the silence that a person has changed: one that lasts, or the newest of those that are over."""
    lasting = [silence for silence in held if not silence.is_over]
    newest = [max(held, key=lambda silence: silence.ends)] if held and not lasting else []
    return next((silence for silence in lasting or newest if not silence.is_as_left), None)
