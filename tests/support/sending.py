"""A sender between a ledger and the local Slack, with a clock that a test moves; as a program, one that is killed."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from changewindow.changes.card import Card
from changewindow.changes.desk import Desk, Line, Shown
from changewindow.changes.sender import Sender
from changewindow.ledger import changes, events, outbox, payloads
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, number
from changewindow.ledger.outbox import Outgoing
from changewindow.notify.base import Message, Tools
from changewindow.notify.slack import Channel
from changewindow.policy.messages import Messages, RoomRules
from changewindow.systems.connection import Connection
from servers.slack import Slack
from servers.slack_rooms import Posted, Room
from support.tickets import banner

BEGUN = datetime.now(UTC)
ROOM = "#deploys"
QUIET = {"message_sent", "message_failed"}


@dataclass
class SlackWorld:
    """What happens to changes, and what the rooms show of it."""

    ledger: Ledger
    tools: Callable[[], Tools]
    rules: dict[str, RoomRules] = field(default_factory=dict)
    rooms: tuple[str, ...] = (ROOM,)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    logged: list[str] = field(default_factory=list)
    blocks: tuple[dict[str, Any], ...] = ()
    unreadable: set[str] = field(default_factory=set)
    """Changes of which no card can be made."""

    def desk(self) -> Desk:
        """Return what the sender works with."""
        return Desk(
            self.ledger,
            Messages(rooms=self.rules),
            channels=lambda _: {"slack": Channel()},
            tools=lambda _: self.tools(),
            show=self._show,
            room_of=lambda change: self.rooms[number(change) % len(self.rooms)],
            lines=self._lines,
            log=self.logged.append,
            now=lambda: self.now,
        )

    def _show(self, change: str, room: str, kind: str) -> Shown:
        """Show what has happened last."""
        rows = [row for row in events.history(self.ledger, change) if row.kind not in QUIET]
        known = changes.get(self.ledger, change)
        assert change not in self.unreadable
        empty: dict[str, Any] = dict.fromkeys(("summary", "environment", "zone", "requester", "risk", "type"), "")
        empty |= {"owner": "alice", "reviewer": "bob", "on_call": "", "rollback": "", "steps": ()}
        empty |= {"services": (), "targets": (), "opens": BEGUN, "closes": BEGUN, "since": BEGUN}
        state: Any = {"submitted": "asked"}.get(known.status, known.status)
        card = Card(change=change, state=state, digest=known.digest, sequence=rows[-1].sequence, **empty)
        return Shown(card, Message(f"{change} {rows[-1].kind} {rows[-1].sequence}", self.now, blocks=self.blocks))

    def _lines(self, change: str, after: int) -> tuple[Line, ...]:
        rows = [row for row in events.history(self.ledger, change) if row.sequence > after and row.kind not in QUIET]
        return tuple(Line(row.sequence, f"{row.kind} {row.sequence}", row.kind == "cancelled") for row in rows)

    def send(self, *senders: Sender, passes: int = 1, apart: float = 1) -> None:
        """Look as often as that, so many seconds apart."""
        senders = senders or (Sender(self.desk()),)
        for _ in range(passes):
            for sender in senders:
                sender.look()
            for sender in senders:
                sender.settle()
            self.now += timedelta(seconds=apart)

    def submit(self) -> str:
        """Return a change that is asked for."""
        return changes.submit(self.ledger, banner(), requester="alice", now=self.now).change

    def happens(self, change: str, count: int = 1) -> None:
        """Let things happen to a change."""
        for step in range(count):
            events.record(self.ledger, Event(change, "run/apply_1", self.now, payloads.Applied(step=step, name="Step")))

    def cancel(self, change: str) -> None:
        """End a change, which is said in the room itself."""
        changes.cancel(self.ledger, change, person="alice", reason="no", now=self.now)

    def fails(self, change: str) -> None:
        """Let a change fail."""
        changes.close(self.ledger, change, run="run", outcome="rolled_back", reason="too slow", now=self.now)

    def note(self, change: str, name: str = "reminder 1") -> Outgoing:
        """Return a note about a change that is in the outbox now."""
        note = Outgoing(change, "note", ROOM, "slack", name, self.now, self.now, text="⏰ due")
        outbox.add(self.ledger, [note])
        return note


def thread(room: Room, above: Posted) -> list[str]:
    """Return the lines below a message, in order, without how late they are."""
    return [plain(line) for reply in room.replies(above) for line in reply.text.splitlines()]


def plain(line: str) -> str:
    """Return a line without how late it is."""
    return line.partition(" (said ")[0]


def of_slack(ledger: Ledger, service: Slack) -> SlackWorld:
    """Return a world with a Slack that has the same clock."""
    world = SlackWorld(ledger, lambda: service.tools(now=lambda: world.now))
    service.now = lambda: world.now.timestamp()  # noqa: PLW0108  the moment of then
    return world


if __name__ == "__main__":
    address, url, token = sys.argv[1:]
    known = Connection("slack_api_default", "slack", password=token, extra={"base_url": f"{url}/api/"})
    alone = SlackWorld(Ledger(address), lambda: Tools(lambda _: known, within=60))
    print(os.getpid(), flush=True)
    alone.send(passes=100)
