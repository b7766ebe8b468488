"""Brings one message of the outbox one step further: at most one question to its channel, and a record of it.

Before a post its key is written down, after it where it stands: who finds the first without the second asks the channel
whether it arrived. So a process may die at any moment, and nothing is told twice.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from changewindow.changes.arrival import after_a_crash
from changewindow.changes.card import LOUD
from changewindow.changes.desk import Desk, Line, Shown
from changewindow.changes.undelivered import OF_THE_PLACE, Done, after_failure, go_elsewhere
from changewindow.errors import ChangeError, LedgerDown
from changewindow.ledger import events, outbox
from changewindow.ledger.events import Event
from changewindow.ledger.models import LINE
from changewindow.ledger.outbox import Outgoing, well
from changewindow.ledger.payloads import MessageFailed, MessageSent, Payload
from changewindow.notify.base import ChannelBase, Message, NotDelivered, Reference, Tools, WayOn

NEWS = LOUD | {"asked", "scheduled", "starting", "waiting", "completed", "rejected", "cancelled", "recorded"}
"""States that are posted where nothing can be brought up to date."""
CALLING = LOUD | {"waiting"}
"""States of which the room reads all that the message says: where an update alone would call nobody."""
REFRESH = timedelta(seconds=10)
"""How often a watch is shown anew."""
PATIENCE = timedelta(seconds=30)
"""How long a note waits for the card of its change, to stand below it."""
MOST = 2900
"""Characters of the lines that are posted at once."""
T = TypeVar("T")


@dataclass(frozen=True)
class Delivery:
    """One message, its channel, and what there is to do it with."""

    desk: Desk
    channel: ChannelBase
    message: Outgoing
    """As it was claimed."""
    head: str = ""
    """The head of the change at the time of looking; a card knows all until there."""

    def step(self) -> Done:
        """Do the next thing, and return the message as it is known then; it is free for others again.

        Raises:
            LedgerDown: what became of it is not written down; the next one finds out.
        """
        now = self.desk.now()
        try:
            return Done(self._kept(self._note(now) if self.message.sort == "note" else self._card(now)))
        except NotDelivered as error:
            failed = self._kept(self._failed(error, now))
            return Done(failed, failed.due if error.way_on in OF_THE_PLACE else None)
        except LedgerDown:
            raise
        except ChangeError as error:
            return Done(self._kept(self._failed(NotDelivered(str(error), WayOn.BY_HAND), now)))
        except Exception as error:  # noqa: BLE001  a message that cannot be made stops no other
            return Done(self._kept(self._failed(NotDelivered(f"{type(error).__name__}: {error}"), now)))

    def _kept(self, message: Outgoing) -> Outgoing:
        free = replace(message, until=None)
        outbox.keep(self.desk.ledger, free)
        return free

    def _card(self, now: datetime) -> Outgoing:
        card = self.message
        shown = self.desk.show(card.change, card.room, self.channel.kind)
        if card.posting and (known := after_a_crash(self.desk, self.channel, card, above=card)):
            return known
        digest = digest_of(shown.message)
        if not self.channel.is_live and (not card.stands or self._is_news(shown)):
            return self._news(card, shown)
        if not card.stands:
            begun = replace(card, about=now)
            return self._posted(begun, shown.message, lambda ref, told: self._standing(begun, shown, ref, told=told))
        cannot: NotDelivered | None = None
        if self.channel.is_live and digest != card.shown:
            try:
                return self._updated(card, shown)
            except NotDelivered as error:
                if error.way_on is not WayOn.ANEW or now >= card.about + error.after:
                    raise
                cannot = error  # and too new to be posted anew; its thread goes on meanwhile
        if self.channel.is_live and (lines := self.desk.lines(card.change, card.told)):
            return self._line(card, shown, lines)
        if cannot:
            raise cannot
        is_over = shown.card.state != "watching"
        clear = replace(well(card), posting="", posting_since=None)
        if not self.channel.is_live:
            clear = replace(clear, state=shown.card.state)  # what it comes back to later is news again
        return replace(clear, head=self.head, is_done=is_over, due=now if is_over else now + REFRESH)

    def _news(self, card: Outgoing, shown: Shown) -> Outgoing:
        """Post what is new as a message of its own, below the first one of its change where a channel has threads."""
        said = replace(shown.message, key=f"{shown.message.key or card.key}/{shown.card.sequence}")
        first = card.reference if card.stands else None
        return self._posted(
            replace(card, about=said.about),
            said,
            lambda reference, told: self._standing(card, shown, first or reference, told=told),
            where=first,
            is_loud=shown.card.state in LOUD,
        )

    def _updated(self, card: Outgoing, shown: Shown) -> Outgoing:
        self._plain_at_worst(lambda form: self.channel.update(self._tools, card.reference, form), shown.message)
        if shown.card.state != card.state:
            self._record(MessageSent(room=card.room, text=shown.message.text, channel=self.channel.kind))
        return self._standing(card, shown, card.reference, told=card.told)

    def _is_news(self, shown: Shown) -> bool:
        return shown.card.state != self.message.state and shown.card.state in NEWS

    def _standing(self, card: Outgoing, shown: Shown, where: Reference, *, told: int) -> Outgoing:
        """Return the card as it stands now; its lines, and what came meanwhile, are next."""
        told, now = told if self.channel.is_live else shown.card.sequence, self.desk.now()
        known = replace(well(card), state=shown.card.state, digest=shown.card.digest, shown=digest_of(shown.message))
        return replace(known, reference=where, told=told, is_done=False, due=now)

    def _line(self, card: Outgoing, shown: Shown, lines: tuple[Line, ...]) -> Outgoing:
        """Post what comes next in the thread: quiet lines at once, a loud one as the state that it leads to."""
        last_loud = max((line.sequence for line in lines if line.is_loud), default=0)
        is_loud = lines[0].sequence == last_loud
        batch = lines[:1] if is_loud else _batch(lines, last_loud)
        text, about = "\n".join(line.text for line in batch), shown.message.about
        message = Message(text, about)
        if is_loud:
            message = replace(shown.message, blocks=(), calls=shown.card.calls)
            message = message if shown.card.state in CALLING else Message(text, about, calls=shown.card.calls)
        message = replace(message, key=f"{card.key}/{batch[-1].sequence}")
        told = batch[-1].sequence
        return self._posted(card, message, lambda _, __: replace(well(card), told=told), below=True, is_loud=is_loud)

    def _note(self, now: datetime) -> Outgoing:
        note = self.message
        card = self._card_above
        if note.posting and (known := after_a_crash(self.desk, self.channel, note, above=card)):
            return known
        if card and not card.stands and self.channel.is_live and now < note.about + PATIENCE:
            return replace(note, due=now + timedelta(seconds=1))
        where = card.reference if card and card.stands else None
        try:
            return self._noted(where)
        except NotDelivered as error:
            if error.way_on is not WayOn.ANEW or where is None:
                raise
            return self._noted(None)  # somebody has deleted what it was to stand below

    def _noted(self, where: Reference | None) -> Outgoing:
        """Post the note."""
        note = self.message
        message = Message(note.text, note.about, key=note.key)

        def then(reference: Reference, _: int) -> Outgoing:
            return replace(well(note), reference=reference, is_done=True)

        return self._posted(note, message, then, where=where, is_loud=note.is_loud)

    @property
    def _card_above(self) -> Outgoing | None:
        """Return the card of the change in the same channel of the room."""
        return next((each for each in self._of_change if each.sort == "card"), None)

    @property
    def _of_change(self) -> list[Outgoing]:
        if self.message.change == LINE:
            return []
        known = outbox.of_change(self.desk.ledger, self.message.change)
        return [each for each in known if (each.room, each.channel) == (self.message.room, self.message.channel)]

    def _posted(
        self,
        message: Outgoing,
        said: Message,
        then: Callable[[Reference, int], Outgoing],
        *,
        below: bool = False,
        where: Reference | None = None,
        is_loud: bool = False,
    ) -> Outgoing:
        """Post it, after its key is written down; return the message as it is known then."""
        said = said if said.key else replace(said, key=message.key)
        said = said.doubted() if self.message.posting else said
        tried = replace(message, posting=said.key, posting_since=self.desk.now())
        outbox.keep(self.desk.ledger, tried)
        place = message.reference if below else where
        reference = self._plain_at_worst(
            lambda form: self.channel.post(self._tools, message.room, form, below=place, is_loud=is_loud), said
        )
        if is_loud or not below:
            self._record(MessageSent(room=message.room, text=said.text, channel=self.channel.kind))
        return replace(then(reference, message.told), posting="", posting_since=None)

    def _failed(self, error: NotDelivered, now: datetime) -> Outgoing:
        """Return the message with its way on; a problem is recorded once."""
        known = outbox.by_key(self.desk.ledger, self.message.key) or self.message
        if known.problem != str(error) and error.way_on is not WayOn.ANEW:
            self.desk.log(f"{known.room}: {error}")
            self._record(MessageFailed(reason=str(error)))
        is_elsewhere = error.way_on is WayOn.ELSEWHERE and go_elsewhere(self.desk, known)
        return after_failure(known, error, now, is_open=bool(self.message.posting), is_elsewhere=is_elsewhere)

    def _plain_at_worst(self, send: Callable[[Message], T], message: Message) -> T:
        """Send a message; where its service does not take its blocks, its text alone."""
        try:
            return send(message)
        except NotDelivered as error:
            if error.way_on is not WayOn.PLAIN or not message.blocks:
                raise
            self.desk.log(f"{self.message.room}: {error}")
            return send(replace(message, blocks=()))

    @property
    def _tools(self) -> Tools:
        return self.desk.tools(self.channel)

    def _record(self, payload: Payload) -> None:
        if self.message.change != LINE:
            events.record(self.desk.ledger, Event(self.message.change, "messages", self.desk.now(), payload))


def digest_of(message: Message) -> str:
    """Return what is the same for messages that read the same, and whose buttons are about the same text."""
    return hashlib.sha256(json.dumps([message.text, message.blocks], sort_keys=True).encode()).hexdigest()


def _batch(lines: tuple[Line, ...], last_loud: int) -> tuple[Line, ...]:
    """Return the first lines that are posted at once: up to the last loud one, and not too many."""
    batch: list[Line] = []
    for line in lines:
        if line.sequence == last_loud or (batch and sum(len(each.text) + 1 for each in (*batch, line)) > MOST):
            break
        batch.append(line)
    return tuple(batch)
