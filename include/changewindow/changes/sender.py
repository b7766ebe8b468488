"""Sends what the outbox owes: newest state first, failures before all else, and never faster than a channel wants it.

A place is a room as one channel reaches it. What is held up there, by an outage or a limit, holds up no other place.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from changewindow.changes.delivery import Delivery
from changewindow.changes.desk import Desk
from changewindow.changes.undelivered import Done
from changewindow.errors import ChangeError, LedgerDown
from changewindow.ledger import events, outbox
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.outbox import Moved, Outgoing
from changewindow.notify.base import ChannelBase

BACK = timedelta(days=7)
"""How long after its end a change that nobody was told of is still told."""
CLAIM = timedelta(minutes=2)
"""How long whoever works on a message has it for themselves."""
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SPARE = 5
"""How many updates of each minute are left to failures."""
AT_ONCE = 8
"""How many places are asked at the same time."""
URGENT = ("rollback_failed", "rolled_back", "refused", "missed")
"""Outcomes that people read of before all else."""


@dataclass(frozen=True)
class Wanted:
    """A message for which there is something to do, and the head that its change has now."""

    message: Outgoing
    head: str
    is_urgent: bool


@dataclass
class Place:
    """When a place may be written to."""

    free_at: datetime | None = None

    def is_free(self, now: datetime) -> bool:
        """Return whether something may go there now."""
        return self.free_at is None or self.free_at <= now

    def used(self, now: datetime, channel: ChannelBase, until: datetime | None) -> None:
        """Take note that something went there; `until` when it wants to be left alone."""
        self.free_at = max(now + channel.spacing, until or now)


@dataclass
class Account:
    """How many updates went out in the last minute, to all places of an account together."""

    updated: deque[datetime] = field(default_factory=deque)
    lock: Lock = field(default_factory=Lock)

    def take(self, now: datetime, most: int) -> bool:
        """Return whether one more may go out now, and count it."""
        with self.lock:
            while self.updated and self.updated[0] <= now - MINUTE:
                self.updated.popleft()
            if len(self.updated) >= most:
                return False
            self.updated.append(now)
            return True

    def give_back(self) -> None:
        """Count the last one no more: there was nothing to update."""
        with self.lock:
            if self.updated:  # whoever took a minute has been forgotten meanwhile
                self.updated.pop()


class Sender:
    """Sends in the background; one of them is enough, and two do no harm."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._places: dict[str, Place] = {}
        self._accounts: dict[str, Account] = {}
        self._busy: dict[str, Future[None]] = {}
        self._known: dict[str, str] = {}
        """The head of each change at which it was seen to that it has its cards."""
        self._since: dict[str, datetime] = {}
        """Since when each channel is there, as far as its messages tell, with an hour for what was just ending."""
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sender")

    def look(self) -> int:
        """Begin to send what there is to send, and return in how many places.

        Raises:
            LedgerDown: nobody knows what there is.
        """
        for place, wanted in self._by_place(self._wanted()).items():
            channel = self.desk.channels(wanted[0].message.room)[wanted[0].message.channel]
            if place not in self._busy or self._busy[place].done():
                self._busy[place] = self._threads.submit(self._work, place, channel, wanted)
        return sum(not job.done() for job in self._busy.values())

    def settle(self, seconds: float = 60) -> None:
        """Wait for what has begun."""
        for job in wait(self._busy.values(), seconds).done:
            job.result()

    def close(self) -> None:
        """Begin nothing more; what has begun writes down what became of it."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _wanted(self) -> list[Wanted]:
        """Return what there is to do, in order."""
        now = self.desk.now()
        moved = {each.change: each for each in outbox.moved(self.desk.ledger, now - BACK)}
        for change in moved.values():
            if self._known.get(change.change) != change.head:
                self._begin(change, now)
        due = {message.key: message for message in outbox.due(self.desk.ledger, now)}
        for change in moved.values():
            due |= {card.key: card for card in change.cards if card.due <= now}
        wanted = [self._of(message, moved.get(message.change)) for message in due.values()]
        return sorted(wanted, key=lambda each: (not each.is_urgent, each.message.due))

    def _begin(self, change: Moved, now: datetime) -> None:
        """See to it that a change has a card in each channel of its room."""
        if change.cards or not self._was_told(change):
            room = self._room(change.change)
            known = {(card.room, card.channel) for card in change.cards}
            new = [name for name in self.desk.channels(room) if (room, name) not in known] if room else []
            new = new if change.cards else [name for name in new if not self._is_old(change, name, now)]
            outbox.add(
                self.desk.ledger, (Outgoing(change.change, "card", room, name, "card", now, now) for name in new)
            )
        self._known[change.change] = change.head  # not before: while the ledger is down, nothing is seen to

    def _room(self, change: str) -> str:
        """Return the room of a change; none where nobody knows it, which concerns no other change.

        Raises:
            LedgerDown: it will be known.
        """
        try:
            return self.desk.room_of(change)
        except LedgerDown:
            raise
        except Exception as error:  # noqa: BLE001  a text of long ago, or one that somebody has written into
            self.desk.log(f"{change}: nobody knows its room. {type(error).__name__}: {error}")
            return ""

    def _was_told(self, change: Moved) -> bool:
        """Return whether a change has ended before there was an outbox, and people were told."""
        sent = (EventKind.MESSAGE_SENT, EventKind.MESSAGE_FAILED)
        return change.closed_at is not None and bool(events.history(self.desk.ledger, change.change, *sent))

    def _is_old(self, change: Moved, channel: str, now: datetime) -> bool:
        """Return whether a change had ended before such a channel was there; nobody waits for its message."""
        if change.closed_at is None:
            return False
        if channel not in self._since:
            self._since[channel] = (outbox.first_card(self.desk.ledger, channel) or now) - HOUR
        return change.closed_at < self._since[channel]

    def _of(self, message: Outgoing, moved: Moved | None) -> Wanted:
        is_urgent = message.is_loud or (moved is not None and moved.status in URGENT)
        return Wanted(message, moved.head if moved else message.head, is_urgent)

    def _by_place(self, wanted: Iterable[Wanted]) -> dict[str, list[Wanted]]:
        places: dict[str, list[Wanted]] = {}
        for each in wanted:
            channel = self.desk.channels(each.message.room).get(each.message.channel)
            if channel is not None:  # one that messages.yaml names no more waits until it does
                places.setdefault(channel.place(each.message.room), []).append(each)
        return places

    def _work(self, name: str, channel: ChannelBase, wanted: list[Wanted]) -> None:
        """Send into one place, as fast as it may be."""
        try:
            self._send(self._places.setdefault(name, Place()), channel, wanted)
        except ChangeError as error:
            self.desk.log(f"what became of a message is not written down, so it is looked for again: {error}")
        except Exception as error:  # noqa: BLE001  nobody asks a thread how it ended
            self.desk.log(f"messages of {name} wait a second: {type(error).__name__}: {error}")

    def _send(self, place: Place, channel: ChannelBase, wanted: list[Wanted]) -> None:
        if not place.is_free(self.desk.now()):
            return
        for each in wanted:
            for done in self._steps(each, channel):
                place.used(self.desk.now(), channel, done.holds_up)
                if not place.is_free(self.desk.now()):
                    return
            if not place.is_free(self.desk.now()):
                return

    def _steps(self, wanted: Wanted, channel: ChannelBase) -> Iterator[Done]:
        """Yield each thing that was done about a message, until nothing is left."""
        message = wanted.message
        while True:
            now = self.desk.now()
            account = self._account(channel, message)
            if account and not account.take(now, channel.updates - (0 if wanted.is_urgent else SPARE)):
                return
            claimed = outbox.claim(self.desk.ledger, message, now, now + CLAIM, is_moved=message.head != wanted.head)
            done = Delivery(self.desk, channel, claimed, wanted.head).step() if claimed else None
            if account and (claimed is None or done is None or done.message.shown == claimed.shown):
                account.give_back()
            if done is None:
                return
            message = done.message
            is_over = message.is_done or message.due > now
            if not is_over or message.problem or message.sort == "note":
                yield done
            if is_over:
                return

    def _account(self, channel: ChannelBase, message: Outgoing) -> Account | None:
        """Return where the next step may count as an update; nothing where it can be none."""
        if not channel.updates or message.sort == "note" or not message.stands:
            return None
        return self._accounts.setdefault(channel.account, Account())
