"""The sender: what a channel shows follows what is true, through outages and crashes, and nothing is told twice."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from changewindow.changes.card import Card
from changewindow.changes.desk import Desk, Line, Shown
from changewindow.changes.sender import Sender
from changewindow.errors import ChangeError, LedgerDown, PlatformError
from changewindow.ledger import changes, events, outbox, payloads
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from changewindow.ledger.models import LINE
from changewindow.ledger.outbox import Outgoing
from changewindow.notify.base import ChannelBase, Message, NotDelivered, Reference, Tools, WayOn
from changewindow.policy.messages import Messages, RoomRules
from support.tampering import tamper
from support.tickets import banner

BEGUN = datetime.now(UTC)
ROOM = "#deploys"


@dataclass
class Post:
    """What stands in the room."""

    key: str
    text: str
    below: str = ""
    is_loud: bool = False


@dataclass
class Service:
    """A chat that remembers what stands in it, and fails when told to."""

    posts: dict[str, Post] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    fail: Callable[[str], None] = lambda _: None
    loses: bool = False
    """Whether the answers to posts are lost."""


SERVICES: dict[str, Service] = {}


class Twin(ChannelBase):
    """An in-memory channel."""

    kind: Literal["twin"] = "twin"
    name: str
    is_live: ClassVar[bool] = True

    @property
    def service(self) -> Service:
        """Return where it posts."""
        return SERVICES[self.name]

    def place(self, room: str) -> str:
        """Return the room."""
        return f"{self.name} {room}"

    def post(
        self, tools: Tools, room: str, message: Message, *, below: Reference | None = None, is_loud: bool = False
    ) -> Reference:
        """Remember it."""
        self.service.fail("post")
        here = Reference(room, f"{len(self.service.calls)}")
        self.service.calls.append(("post", message.key))
        self.service.posts[here.id] = Post(message.key, message.text, below.id if below else "", is_loud)
        if self.service.loses:
            raise NotDelivered("no answer")
        return here

    def update(self, tools: Tools, reference: Reference, message: Message) -> None:
        """Change it."""
        self.service.fail("update")
        if reference.id not in self.service.posts:
            raise NotDelivered("it is gone", WayOn.ANEW)
        self.service.calls.append(("update", message.key))
        self.service.posts[reference.id].text = message.text

    def find(
        self, tools: Tools, room: str, key: str, *, since: datetime, below: Reference | None = None
    ) -> Reference | None:
        """Look for it."""
        self.service.fail("find")
        return next((Reference(room, name) for name, post in self.service.posts.items() if post.key == key), None)


@dataclass
class World:
    """A ledger, a chat, a clock, and the sender between them."""

    ledger: Ledger
    service: Service
    channel: Twin
    rules: dict[str, RoomRules] = field(default_factory=dict)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def desk(self) -> Desk:
        """Return what the sender works with."""

        def show(change: str, room: str, kind: str) -> Shown:
            rows = events.history(self.ledger, change)
            row = changes.get(self.ledger, change)
            return shown(change, row.digest, row.status, len(rows))

        def lines(change: str, after: int) -> tuple[Line, ...]:
            rows = [row for row in events.history(self.ledger, change) if row.sequence > after]
            told = [row for row in rows if row.kind not in {"message_sent", "message_failed"}]
            return tuple(Line(row.sequence, f"{row.kind} {row.sequence}", row.kind == "cancelled") for row in told)

        return Desk(
            self.ledger,
            Messages(rooms=self.rules),
            channels=lambda _: {"twin": self.channel},
            tools=lambda _: Tools(pytest.fail),
            show=show,
            room_of=lambda _: ROOM,
            lines=lines,
            log=lambda _: None,
            now=lambda: self.now,
        )

    def send(self, sender: Sender | None = None, *, passes: int = 1) -> None:
        """Look as often as that, a second apart."""
        sender = sender or Sender(self.desk())
        for _ in range(passes):
            sender.look()
            sender.settle()
            self.now += timedelta(seconds=1)

    def submit(self) -> str:
        """Return a change that is asked for."""
        return changes.submit(self.ledger, banner(), requester="alice", now=self.now).change

    def happens(self, change: str, count: int) -> None:
        """Let things happen to a change."""
        for number in range(count):
            applied = payloads.Applied(step=number, name="Step")
            events.record(self.ledger, Event(change, "run/apply_1", self.now, applied))

    @property
    def roots(self) -> list[Post]:
        """Return what stands in the room itself."""
        return [post for post in self.service.posts.values() if not post.below]

    @property
    def replies(self) -> list[Post]:
        """Return what stands in threads."""
        return [post for post in self.service.posts.values() if post.below]


def shown(change: str, digest: str, status: str, sequence: int) -> Shown:
    """Return a change as the room reads it."""
    empty: dict[str, Any] = dict.fromkeys(("summary", "environment", "zone", "requester", "risk", "type"), "")
    empty |= {"owner": "alice", "reviewer": "bob", "on_call": "", "rollback": "", "steps": ()}
    empty |= {"services": (), "targets": (), "opens": BEGUN, "closes": BEGUN, "since": BEGUN}
    state: Any = {"submitted": "asked"}.get(status, status)
    card = Card(change=change, state=state, digest=digest, sequence=sequence, **empty)
    return Shown(card, Message(f"{change} {status}", BEGUN))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return one with a ledger of its own."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.upgrade()
    SERVICES[str(tmp_path)] = service = Service()
    return World(ledger, service, Twin(name=str(tmp_path)))


def down(_: str) -> None:
    """Answer nothing."""
    raise NotDelivered("it is down")


def test_a_change_has_one_message_and_its_thread(world: World) -> None:
    """Which says what is true now; the thread says what has happened, once."""
    change = world.submit()
    world.send()
    world.happens(change, 2)
    world.send()
    changes.cancel(world.ledger, change, person="alice", reason="no", now=world.now)
    world.send(passes=2)
    assert [post.text for post in world.roots] == [f"{change} cancelled"]
    assert [post.text for post in world.replies] == ["submitted 1", "applied 3\napplied 4", "cancelled 5"]
    assert [post.is_loud for post in world.replies] == [False, False, True]
    calls = len(world.service.calls)
    world.send(passes=5)
    assert len(world.service.calls) == calls


def test_an_hour_without_it_ends_in_one_update_and_the_missed_lines_once(world: World) -> None:
    """The newest state wins."""
    change = world.submit()
    sender = Sender(world.desk())
    world.send(sender)
    world.service.fail = down
    for _ in range(40):
        world.happens(change, 1)
        world.send(sender)
        world.now += timedelta(seconds=90)
    changes.cancel(world.ledger, change, person="alice", reason="no", now=world.now)
    before = len(world.service.calls)
    world.service.fail = lambda _: None
    world.now += timedelta(minutes=6)
    world.send(sender, passes=3)
    assert [kind for kind, _ in world.service.calls[before:]] == ["update", "post", "post"]
    lines = "\n".join(post.text for post in world.replies).splitlines()
    assert len(lines) == len(set(lines)) == 42
    assert [post.text for post in world.roots] == [f"{change} cancelled"]


@pytest.mark.parametrize("posts", [1, 2])
def test_what_was_posted_before_a_crash_is_not_posted_again(world: World, posts: int) -> None:
    """Be it the message itself, or a line of its thread."""
    change = world.submit()
    if posts == 2:
        world.send()
        world.happens(change, 1)
    world.service.loses = True
    world.send()
    world.service.loses = False
    world.now += timedelta(minutes=6)
    world.send(passes=3)
    texts = [post.text for post in world.service.posts.values()]
    assert sorted(texts) == sorted(set(texts))
    assert len(world.roots) == 1


def test_what_somebody_has_deleted_is_posted_anew(world: World) -> None:
    """And goes on from there; the lines of its thread are not told again."""
    change = world.submit()
    world.send()
    world.service.posts.clear()
    changes.cancel(world.ledger, change, person="alice", reason="no", now=world.now)
    world.send(passes=3)
    assert [post.text for post in world.roots] == [f"{change} cancelled"]
    assert [post.text for post in world.replies] == ["cancelled 3"]


def test_a_note_is_told_once_below_the_message_of_its_change(world: World) -> None:
    """One that belongs to no change stands by itself."""
    change = world.submit()
    note = Outgoing(change, "note", ROOM, "twin", "reminder 1", world.now, world.now, text="⏰ due")
    stop = replace(note, change=LINE, name="stopped", text="⛔ STOPPED")
    assert len(outbox.add(world.ledger, [note, stop, note])) == 2
    world.send(passes=4)
    assert outbox.add(world.ledger, [note]) == []
    assert [post.text for post in world.roots if not post.text.startswith(change)] == ["⛔ STOPPED"]
    assert [post.text for post in world.replies] == ["submitted 1", "⏰ due"]


def test_two_senders_tell_nothing_twice(world: World) -> None:
    """As when a triggerer is taken for dead."""
    for _ in range(5):
        world.happens(world.submit(), 2)
    first, second = Sender(world.desk()), Sender(world.desk())
    for _ in range(4):
        for sender in (first, second):
            sender.look()
        for sender in (first, second):
            sender.settle()
        world.now += timedelta(seconds=1)
    texts = [post.text for post in world.service.posts.values()]
    assert (len(world.roots), len(world.replies)) == (5, 5)
    assert len([key for _, key in world.service.calls]) == len({key for _, key in world.service.calls}) == len(texts)


def test_a_room_that_is_closed_has_another_one(world: World) -> None:
    """Which messages.yaml names."""
    world.rules[ROOM] = RoomRules(otherwise="#ops")

    def closed(_: str) -> None:
        raise NotDelivered("it is archived", WayOn.ELSEWHERE)

    change = world.submit()
    world.service.fail = closed
    world.send()
    world.service.fail = lambda _: None
    world.send(passes=2)
    places = {card.room: card.stands for card in outbox.of_change(world.ledger, change)}
    assert places == {ROOM: False, "#ops": True}


def test_a_row_that_somebody_has_written_into_is_begun_anew(world: World) -> None:
    """It does not lead us to write where somebody else wants it."""
    change = world.submit()
    world.send()
    with world.ledger.transaction() as session:
        session.connection().exec_driver_sql("UPDATE outbox SET reference = '99'")
    world.happens(change, 1)
    world.send(passes=2)
    assert len(world.roots) == 2


def test_a_ledger_that_fails_while_a_change_gets_its_message_costs_it_no_message(world: World) -> None:
    """It gets it when the ledger is back, also if nothing more happens to it."""
    change, desk = world.submit(), world.desk()
    failures = [LedgerDown("locked"), LedgerDown("locked")]

    def room_of(_: str) -> str:
        if failures:
            raise failures.pop()
        return ROOM

    sender = Sender(replace(desk, room_of=room_of))
    for _ in range(2):
        with pytest.raises(LedgerDown):
            sender.look()
    world.send(sender, passes=2)
    assert [post.text for post in world.roots] == [f"{change} submitted"]


@pytest.mark.parametrize("error", [ValueError("a text of long ago"), TypeError("odd"), ChangeError("altered")])
def test_a_change_whose_room_nobody_knows_keeps_no_other_from_being_told(world: World, error: Exception) -> None:
    """Whatever is wrong with its text; that is said once."""
    bad, good, said = world.submit(), world.submit(), list[str]()

    def room_of(change: str) -> str:
        if change == bad:
            raise error
        return ROOM

    sender = Sender(replace(world.desk(), room_of=room_of, log=said.append))
    world.send(sender, passes=3)
    assert [post.text for post in world.roots] == [f"{good} submitted"]
    assert [line.partition(":")[0] for line in said] == [bad]


@pytest.mark.parametrize("error", [ValueError("odd"), PlatformError("sealed with a key that is gone")])
def test_a_message_that_can_never_be_made_does_not_hold_up_its_room(world: World, error: Exception) -> None:
    """However often it was tried: what comes next is told at once."""
    bad, desk = world.submit(), world.desk()

    def show(change: str, room: str, kind: str) -> Shown:
        if change == bad:
            raise error
        return desk.show(change, room, kind)

    sender = Sender(replace(desk, show=show))
    for _ in range(12):
        world.send(sender)
        world.now += timedelta(minutes=10)
    good = world.submit()
    sender.look()
    sender.settle()
    world.now += timedelta(seconds=2)
    world.send(sender, passes=2)
    assert [post.text for post in world.roots] == [f"{good} submitted"]


def test_what_ended_before_there_was_an_outbox_is_not_told(world: World) -> None:
    """As when Slack comes to a place that had only the log: what is open is told, and what ends from then on."""
    for _ in range(3):
        changes.cancel(world.ledger, world.submit(), person="alice", reason="no", now=world.now)
    still = world.submit()
    world.now += timedelta(days=2)
    sender = Sender(world.desk())
    world.send(sender, passes=3)
    assert [post.text for post in world.roots] == [f"{still} submitted"]
    quick = world.submit()
    changes.cancel(world.ledger, quick, person="alice", reason="no", now=world.now)
    world.now += timedelta(days=2)
    world.send(Sender(world.desk()), passes=3)
    assert f"{quick} cancelled" in [post.text for post in world.roots]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE outbox SET until = '2999-01-01 00:00:00.000000'",
        "UPDATE outbox SET due = '2999-01-01 00:00:00.000000'",
        "UPDATE outbox SET until = '2999-01-01 00:00:00.000000', is_done = 1",
    ],
)
def test_a_row_that_somebody_has_put_off_for_good_is_told_all_the_same(world: World, statement: str) -> None:
    """Whoever writes into the outbox silences nothing."""
    change = world.submit()
    world.send()
    tamper(world.ledger, statement)
    changes.cancel(world.ledger, change, person="alice", reason="no", now=world.now)
    world.send(passes=3)
    assert [post.text for post in world.roots][-1] == f"{change} cancelled"
