"""The sender with channels where nothing can be brought up to date: each news once, all of a change together."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from changewindow.changes.desk import Shown
from changewindow.changes.sender import Sender
from changewindow.ledger import outbox
from changewindow.ledger.database import Ledger
from changewindow.notify.base import Tools
from changewindow.notify.email import Channel
from servers.mailbox import Mailbox, mailbox
from support.sending import ROOM, SlackWorld


@pytest.fixture
def box() -> Iterator[Mailbox]:
    """Serve a mailbox."""
    with mailbox() as serving:
        yield serving


@pytest.fixture
def world(ledger: Ledger, box: Mailbox) -> SlackWorld:
    """Return one with a ledger of its own."""
    made = SlackWorld(ledger, lambda: Tools(lambda _: box.connection(), now=lambda: made.now, within=30))
    return made


@pytest.fixture
def sender(world: SlackWorld) -> Sender:
    """Return one that sends mails; the message of a change is called as in the product: by its change."""
    desk = world.desk()

    def show(change: str, room: str, kind: str) -> Shown:
        shown = desk.show(change, room, kind)
        return replace(shown, message=replace(shown.message, key=change))

    channel = Channel(to=("changes@example.org",))
    return Sender(replace(desk, show=show, channels=lambda _: {"slack": channel}))


def test_each_news_is_a_mail_of_its_own_in_the_thread_of_its_change(
    world: SlackWorld, sender: Sender, box: Mailbox
) -> None:
    """Mail programs take none of them for another; what happens between news is not sent."""
    change = world.submit()
    world.send(sender, passes=2)
    world.happens(change, 3)
    world.send(sender, passes=2)
    world.note(change)
    world.send(sender, passes=2)
    world.cancel(change)
    world.send(sender, passes=5)
    asked, note, cancelled = box.mails
    assert [mail["Subject"].split(" (")[0] for mail in box.mails] == [
        f"{change} submitted 1",
        "⏰ due",
        f"{change} cancelled 7",
    ]
    assert (note["In-Reply-To"], cancelled["In-Reply-To"]) == (asked["Message-ID"], asked["Message-ID"])
    assert len({mail["Message-ID"] for mail in box.mails}) == 3
    assert asked["X-Change-Windows"] == f"{change}/1"


def test_what_is_loud_is_important(world: SlackWorld, sender: Sender, box: Mailbox) -> None:
    """A change that is rolled back is not one mail among others."""
    change = world.submit()
    world.send(sender, passes=2)
    world.fails(change)
    world.send(sender, passes=2)
    assert [mail["Importance"] for mail in box.mails] == [None, "high"]


def test_a_mail_whose_arrival_is_in_doubt_is_sent_again_as_the_same(
    world: SlackWorld, sender: Sender, box: Mailbox
) -> None:
    """By its id, mail systems show only one of them."""
    world.submit()
    box.delay, world.tools = 5, lambda: Tools(lambda _: box.connection(), now=lambda: world.now, within=0.5)
    world.send(sender)
    box.delay, world.tools = 0, lambda: Tools(lambda _: box.connection(), now=lambda: world.now, within=30)
    world.send(sender, passes=10, apart=60)
    assert box.mails
    assert len({mail["Message-ID"] for mail in box.mails}) == 1


def test_a_server_that_hangs_with_each_mail_is_left_alone_longer_and_longer(
    world: SlackWorld, sender: Sender, box: Mailbox
) -> None:
    """It may have taken every one of them, and must not be flooded."""
    change = world.submit()
    box.delay, world.tools = 60, lambda: Tools(lambda _: box.connection(), now=lambda: world.now, within=0.2)
    world.send(sender, passes=12, apart=300)
    (mail,) = outbox.of_change(world.ledger, change)
    assert mail.tries >= 5
    assert box.mails == []


def test_a_room_of_which_nobody_takes_mail_has_another_one(world: SlackWorld, sender: Sender, box: Mailbox) -> None:
    """The reason stands in the log, with what to do."""
    box.answers = {"RCPT": "550 5.1.1 no such user"}
    world.submit()
    world.send(sender, passes=3)
    assert box.mails == []
    (reason,) = set(world.logged)
    assert reason.startswith(f"{ROOM}: the mail server 127.0.0.1 of 'smtp_default' takes no mail for them")
