"""The sender with the real client and a Slack: through outages, kills, limits and every failure that has a name."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from changewindow.changes.sender import Sender
from changewindow.errors import LedgerDown
from changewindow.ledger import outbox
from changewindow.ledger.database import Ledger
from changewindow.policy.messages import RoomRules
from servers.slack import Slack, slack
from servers.slack_rooms import Posted, Room
from support import ledgers
from support.sending import ROOM, SlackWorld, of_slack, plain, thread

pytestmark = pytest.mark.integration

MINUTES = timedelta(minutes=1)


@pytest.fixture
def service() -> Iterator[Slack]:
    """Run a Slack with a room."""
    with slack() as running:
        running.room(ROOM)
        yield running


@pytest.fixture
def world(ledger: Ledger, service: Slack) -> SlackWorld:
    """Return one with a ledger of its own."""
    return of_slack(ledger, service)


def only(room: Room) -> Posted:
    """Return the message that stands in a room."""
    (message,) = room.top
    return message


def recovers(world: SlackWorld, service: Slack, sender: Sender | None = None) -> None:
    """Let everything work again, and some time go by."""
    service.recover()
    world.now = max(world.now, datetime.now(UTC)) + 6 * MINUTES  # another process may have gone by the clock
    world.send(*((sender,) if sender else ()), passes=6)


def told_once(room: Room) -> bool:
    """Return whether nothing that stands there stands there twice."""
    keys = [message.key for message in room.standing]
    return len(keys) == len(set(keys))


def test_an_hour_without_slack_ends_in_one_update_and_the_missed_lines_in_order(
    world: SlackWorld, service: Slack
) -> None:
    """Whatever is wrong with it meanwhile: the newest state is shown, and each line is told once."""
    room, change, sender = service.room(ROOM), world.submit(), Sender(world.desk())
    world.send(sender, passes=3)
    for kind in ("500", "503", "cut", "garbage", "fatal_error", "service_unavailable", "internal_error", "ratelimited"):
        service.fail("*", kind, times=1_000_000)
        for _ in range(5):
            world.happens(change)
            world.send(sender)
            world.now += timedelta(seconds=89)
        service.recover()
        service.fail("*", "cut", times=1_000_000)
    before = len(service.calls)
    recovers(world, service, sender)
    assert [call.method for call in service.calls[before:]] == ["chat.update", "chat.postMessage"]
    first, *lines = thread(room, only(room))
    numbers = [int(line.removeprefix("applied ")) for line in lines]
    assert (first, len(numbers), numbers) == ("submitted 1", 40, sorted(set(numbers)))
    assert only(room).versions == [f"{change} submitted 1", f"{change} applied {numbers[-1]}"]


@pytest.mark.parametrize("count", [int(os.environ.get("CHANGES_AT_ONCE", "60"))])
def test_many_changes_at_once_keep_the_rates(world: SlackWorld, service: Slack, count: int) -> None:
    """A post a second and room, 45 updates a minute in all; failures first, and in the end everything is said once."""
    service.keeps_rates, world.rooms = True, tuple(f"#room-{number}" for number in range(15))
    rooms, sender = [service.room(name) for name in world.rooms], Sender(world.desk())
    changes, begun = [world.submit() for _ in range(count)], world.now
    while sum(len(room.standing) for room in rooms) < 2 * count:
        world.send(sender)
        assert world.now < begun + 10 * MINUTES
    for change in changes:
        world.happens(change)
    world.fails(changes[-1])
    world.send(sender)
    failed = next(message for room in rooms for message in room.top if message.text.startswith(changes[-1]))
    assert "closed" in failed.text
    begun = world.now
    while any(len(message.versions) < 2 for room in rooms for message in room.top):
        world.send(sender, apart=10)
        assert world.now < begun + 30 * MINUTES
    assert [call for call in service.calls if call.error == "ratelimited"] == []
    assert sum(len(room.top) for room in rooms) == count
    assert all(told_once(room) for room in rooms)


@pytest.mark.parametrize("is_line", [False, True], ids=["a message", "a line of its thread"])
def test_a_sender_that_is_killed_between_post_and_record_leaves_no_second_message(
    world: SlackWorld, service: Slack, *, is_line: bool
) -> None:
    """Whoever comes after it finds what it has posted."""
    room, change = service.room(ROOM), world.submit()
    if is_line:
        world.send()
        world.happens(change)
    service.now = time.time
    service.fail("chat.postMessage", "late")
    before = len(room.standing)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = [str(world.ledger.url.render_as_string(hide_password=False)), service.url, service.token]
    with subprocess.Popen([sys.executable, "-m", "support.sending", *arguments], env=environment) as program:
        for _ in range(1200):
            if len(room.standing) > before:
                break
            time.sleep(0.05)
        program.send_signal(signal.SIGKILL)
    assert len(room.standing) == before + 1
    assert outbox.of_change(world.ledger, change)[0].posting
    recovers(world, service)
    assert told_once(room)
    assert thread(room, only(room))[-1] == ("applied 3" if is_line else "submitted 1")


@pytest.mark.parametrize("is_line", [False, True], ids=["a message", "a line of its thread"])
def test_a_ledger_that_goes_away_between_post_and_record_leaves_no_second_message(
    world: SlackWorld, service: Slack, *, is_line: bool
) -> None:
    """Nothing is written while Slack is asked, and afterwards what is not known is found out."""
    room, change, sender = service.room(ROOM), world.submit(), Sender(world.desk())
    if is_line:
        world.send(sender, passes=3)
        world.happens(change)
        world.send(sender)  # brings the message up to date; its line is next
    file = sqlite3.connect(str(world.ledger.url.database), check_same_thread=False, isolation_level=None)

    def goes_away() -> float:
        with suppress(sqlite3.OperationalError):  # it is away already
            file.execute("ALTER TABLE outbox RENAME TO away")
        return world.now.timestamp()

    before, service.now = len(room.standing), goes_away
    world.send(sender)
    service.now = lambda: world.now.timestamp()  # noqa: PLW0108  the moment of then
    assert len(room.standing) == before + 1
    with pytest.raises(LedgerDown):
        world.send(sender)
    file.execute("ALTER TABLE away RENAME TO outbox")
    recovers(world, service, sender)
    assert told_once(room)
    assert thread(room, only(room))[-1].split()[0] == ("applied" if is_line else "submitted")
    file.close()


@pytest.mark.parametrize("kind", ["lost", "503", "cut", "fatal_error", "ratelimited", "token_revoked"])
@pytest.mark.parametrize("times", [1, 4])
def test_what_fails_for_a_while_is_said_once(world: SlackWorld, service: Slack, kind: str, times: int) -> None:
    """A message, the lines of its thread, and a note below it."""
    room, change = service.room(ROOM), world.submit()
    for _ in range(3):
        service.fail("chat.postMessage", kind, times=times)
        world.send(passes=3)
        recovers(world, service)
        world.happens(change)
    world.note(change)
    service.fail("chat.postMessage", kind, times=times)
    world.send(passes=3)
    recovers(world, service)
    assert told_once(room)
    lines = [line.partition(" ")[0] for line in thread(room, only(room))]
    assert sorted(lines) == ["applied", "applied", "applied", "submitted", "⏰"]


def test_a_note_whose_answer_was_lost_is_looked_for_in_the_thread(world: SlackWorld, service: Slack) -> None:
    """Where it was posted."""
    room, change = service.room(ROOM), world.submit()
    world.send(passes=3)
    world.note(change)
    service.fail("chat.postMessage", "lost")
    world.send()
    recovers(world, service)
    assert thread(room, only(room)) == ["submitted 1", "⏰ due"]


@pytest.mark.parametrize("kind", ["cant_update_message", "edit_window_closed", "message_not_found"])
@pytest.mark.parametrize("is_after_an_outage", [False, True])
def test_what_cannot_be_updated_any_more_is_posted_anew(
    world: SlackWorld, service: Slack, kind: str, *, is_after_an_outage: bool
) -> None:
    """Once; its thread goes on below it."""
    room, change = service.room(ROOM), world.submit()
    world.send(passes=3)
    world.happens(change)
    if is_after_an_outage:
        service.fail("*", "503", times=4)
        for _ in range(4):
            world.send()
            world.now += MINUTES
    service.fail("chat.update", kind)
    world.now += 6 * MINUTES
    world.send(passes=6)
    old, new = room.top
    assert old.text == f"{change} submitted 1"
    assert thread(room, old) == ["submitted 1"]
    assert new.text.removeprefix(f"{change} ") == thread(room, new)[0]
    assert len(thread(room, new)) == 1


def test_what_can_never_be_updated_does_not_fill_the_room(world: SlackWorld, service: Slack) -> None:
    """There is a new message once a minute at most."""
    room, change, sender = service.room(ROOM), world.submit(), Sender(world.desk())
    service.fail("chat.update", "edit_window_closed", times=1_000_000)
    for _ in range(60):
        world.happens(change)
        world.send(sender, apart=10)
    assert 8 <= len(room.top) <= 11
    assert len([line for message in room.top for line in thread(room, message)]) == 61
    service.recover()
    world.send(sender, passes=6, apart=60)
    assert room.top[-1].text.endswith(thread(room, room.top[-1])[-1])


def test_a_note_below_a_message_that_was_deleted_stands_by_itself(world: SlackWorld, service: Slack) -> None:
    """It is not lost with it."""
    room, change = service.room(ROOM), world.submit()
    world.send(passes=3)
    for message in room.messages:
        message.is_deleted = True
    world.note(change)
    world.send(passes=2)
    assert only(room).text == "⏰ due"


def test_a_message_that_somebody_deletes_is_posted_anew_with_the_next_news(world: SlackWorld, service: Slack) -> None:
    """Also where the line in its thread is what finds out."""
    room, change = service.room(ROOM), world.submit()
    world.send(passes=3)
    for message in room.messages:
        message.is_deleted = True
    world.happens(change)
    world.send(passes=3)
    assert only(room).text == f"{change} applied 3"
    assert thread(room, only(room)) == ["applied 3"]


def test_a_room_that_is_archived_has_another_one_until_it_is_back(world: SlackWorld, service: Slack) -> None:
    """Both show the newest state in the end."""
    world.rules[ROOM] = RoomRules(otherwise="#ops")
    room, other, change = service.room(ROOM), service.room("#ops"), world.submit()
    world.send(passes=3)
    room.is_archived = True
    world.happens(change)
    world.send(passes=4)
    assert plain(only(other).text) == f"{change} applied 3"
    assert only(room).text == f"{change} submitted 1"
    assert any("#deploys" in line or room.id in line for line in world.logged)
    room.is_archived = False
    world.now += timedelta(hours=1)
    world.send(passes=4)
    assert plain(only(room).text) == f"{change} applied 3"
    assert thread(room, only(room)) == ["submitted 1", "applied 3"]


def test_a_room_that_is_archived_holds_up_none_of_its_changes(world: SlackWorld, service: Slack) -> None:
    """Each of them goes to the other room, at once."""
    world.rules[ROOM] = RoomRules(otherwise="#ops")
    other, changes = service.room("#ops"), [world.submit() for _ in range(4)]
    service.room(ROOM).is_archived = True
    world.send(Sender(world.desk()), passes=20)
    assert sorted(message.text.split()[0] for message in other.top) == changes


def test_a_room_that_nothing_stands_in_for_is_tried_every_few_minutes(world: SlackWorld, service: Slack) -> None:
    """Whoever invites the bot does not wait for an hour."""
    room, sender = service.room(ROOM), Sender(world.desk())
    room.is_archived = True
    for _ in range(2):
        world.submit()
    world.send(sender, passes=60, apart=10)
    assert len(service.calls) < 20
    room.is_archived = False
    world.send(sender, passes=40, apart=10)
    assert len(room.top) == 2


def test_nothing_is_lost_while_the_token_is_revoked(world: SlackWorld, service: Slack) -> None:
    """A post whose answer was lost just before is found with the new token, and not repeated."""
    room, change = service.room(ROOM), world.submit()
    service.fail("chat.postMessage", "lost")
    world.send()
    service.revoke()
    world.now += MINUTES
    world.happens(change, 3)
    for _ in range(10):
        world.send()
        world.now += MINUTES
    service.revoke("xoxb-new")
    recovers(world, service)
    assert [line.partition(" ")[0] for line in thread(room, only(room))] == ["submitted", *["applied"] * 3]
    assert plain(only(room).text) == f"{change} {thread(room, only(room))[-1]}"
    (sentence,) = {line for line in world.logged if "token" in line}
    assert "put a new token of the bot (xoxb-…) into the password of the connection slack_api_default" in sentence


def test_who_may_not_read_the_room_posts_again_and_says_so(world: SlackWorld, service: Slack) -> None:
    """Nobody can say whether it arrived; what was clearly refused is not in doubt."""
    room, change = service.room(ROOM), world.submit()
    service.scopes.remove("channels:history")
    world.blocks = ({"type": "section", "text": {"type": "mrkdwn", "text": "asked"}},)
    service.fail("chat.postMessage", "lost")
    service.fail("chat.postMessage", "ratelimited", retry_after=5)
    world.send(passes=3)
    recovers(world, service)
    first, second = room.top
    assert "(perhaps told twice)" not in first.text
    assert second.text.startswith(f"{change} submitted 1 (perhaps told twice)")
    assert "perhaps told twice" in json.dumps(second.blocks)
    service.fail("chat.postMessage", "ratelimited", retry_after=5)
    world.happens(change)
    world.send(passes=3)
    recovers(world, service)
    assert "perhaps told twice" not in room.replies(second)[-1].text


def test_blocks_that_slack_refuses_are_left_out_and_their_author_hears_why(world: SlackWorld, service: Slack) -> None:
    """The text alone goes out, in a post and in an update."""
    room, change = service.room(ROOM), world.submit()
    world.blocks = ({"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}},)
    world.send()
    assert (only(room).text, only(room).blocks) == (f"{change} submitted 1", [])
    world.happens(change)
    world.send()
    assert only(room).versions == [f"{change} submitted 1", f"{change} applied 3"]
    assert any("[json-pointer:/blocks/0/text/text]" in line for line in world.logged)
    service.objections.clear()


def test_slack_is_left_alone_when_it_says_so_and_other_rooms_are_not_held_up(world: SlackWorld, service: Slack) -> None:
    """Retry-After is a due time, not a sleep."""
    world.rooms, sender = ("#a", "#b"), Sender(world.desk())
    first, second = service.room("#a"), service.room("#b")
    service.fail("chat.postMessage", "ratelimited", retry_after=60)
    changes = [world.submit(), world.submit()]
    world.send(sender, passes=50)
    assert sorted(len(room.top) for room in (first, second)) == [0, 1]
    assert len(service.asked("chat.postMessage")) == 3
    world.send(sender, passes=15)
    assert {message.text.split()[0] for room in (first, second) for message in room.top} == set(changes)


def test_a_message_that_cannot_be_made_or_updated_holds_up_no_other(world: SlackWorld, service: Slack) -> None:
    """It is tried again, later and later."""
    room, sender = service.room(ROOM), Sender(world.desk())
    bad, frozen, good = (world.submit() for _ in range(3))
    world.unreadable.add(bad)
    world.send(sender, passes=10)
    assert [message.text.split()[0] for message in room.top] == [frozen, good]
    service.fail("chat.update", "edit_window_closed", times=2)
    world.happens(frozen)
    world.send(sender, passes=3)
    world.happens(good)
    world.send(sender, passes=5)
    assert [message.text.partition(" ")[2].split()[0] for message in room.top] == ["submitted", "applied"]
    world.unreadable.clear()
    world.send(sender, passes=20, apart=10)
    assert sorted(message.text.split()[0] for message in room.top if "submitted" not in message.text) == [frozen, good]
    assert any(message.text.startswith(bad) for message in room.top)


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_two_senders_at_once_tell_nothing_twice(tmp_path: Path, service: Slack, backend: str) -> None:
    """As when a triggerer is taken for dead, and lives."""
    world = of_slack(ledgers.on_postgres() if backend == "postgres" else ledgers.on_sqlite(tmp_path), service)
    world.rooms = tuple(f"#room-{number}" for number in range(4))
    rooms = [service.room(name) for name in world.rooms]
    senders = [Sender(world.desk()) for _ in range(2)]
    for _ in range(12):
        world.happens(world.submit())
    world.send(*senders, passes=12)
    assert all(told_once(room) for room in rooms)
    assert sum(len(room.top) for room in rooms) == 12
    assert all(thread(room, message) == ["submitted 1", "applied 2"] for room in rooms for message in room.top)
