"""Every card as it is rendered, with its buttons, is posted and updated in a Slack that checks its limits."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from changewindow.changes.buttons import buttons
from changewindow.changes.card import STATES, Card, CardApproval, CardCondition, CardStep
from changewindow.changes.card_text import Look, rendered
from changewindow.changes.sample_cards import ENDING, WATCH, sample
from changewindow.notify.base import Message
from changewindow.notify.slack import Channel
from changewindow.policy.messages import Messages
from servers.slack import Slack, slack

ROOM = "#deploys"
LOOK = Look("Europe/Berlin", (), {"alice": "U0ALICE", "bob": "U0BOB", "carol": "U0CAROL"})
EVIL = "<!channel> & <https://evil|wiki> *b* _i_ ~s~ `c` \n> q 😀 " * 60
"""A text with every sign that means something, longer than what Slack takes."""


@pytest.fixture(scope="module")
def service() -> Iterator[Slack]:
    """Run a Slack with a room."""
    with slack() as running:
        running.room(ROOM)
        yield running


def message(card: Card) -> Message:
    """Return what is sent of a card."""
    made = rendered(card, LOOK)
    return replace(made, blocks=(*made.blocks, *buttons(card, Messages(), ROOM)))


def huge(state: str) -> Card:
    """Return a card with far too much of everything."""
    steps = tuple(CardStep(number, EVIL, EVIL, EVIL, "applied", EVIL) for number in range(60))
    conditions = tuple(CardCondition(EVIL, "fail", EVIL, EVIL, "▁▂" * 200) for _ in range(60))
    watch = replace(WATCH, conditions=conditions, worst=conditions[0])
    ending = replace(ENDING, reason=EVIL, back_to=(EVIL,) * 60, validated=(EVIL,) * 60, follow_up=(EVIL,) * 60)
    people = tuple(CardApproval(f"person_{number}", is_yes=True, at=ENDING.ended) for number in range(60))
    card = sample(state, is_emergency=True)
    return replace(
        card,
        steps=steps,
        watch=watch if card.watch else None,
        ending=ending if card.ending else None,
        approvals=people,
        summary=EVIL,
        rollback=EVIL,
        reason=EVIL if card.reason else "",
        services=(EVIL,) * 60,
        targets=(EVIL,) * 60,
        waits_for=(EVIL,) * 60,
        owes=(EVIL,) * 60,
    )


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("make", [sample, huge, lambda state: sample(state, is_emergency=True)])
def test_every_card_is_taken_as_it_is(service: Slack, state: str, make: object) -> None:
    """With its blocks, its buttons, and its text; nothing of a ticket means anything there."""
    card = make(state)  # type: ignore[operator]
    sent = message(card)
    where = Channel().post(service.tools(ids=LOOK.ids), ROOM, sent)
    Channel().update(service.tools(ids=LOOK.ids), where, sent)
    posted = service.room(ROOM).message(where.id)
    assert posted is not None
    assert len(posted.blocks) == len(sent.blocks) > 0
    assert bool(posted.buttons) == bool(buttons(card, Messages(), ROOM))
    assert service.objections == []
    service.objections.clear()


@pytest.mark.parametrize("state", STATES)
def test_every_card_is_taken_without_its_blocks(service: Slack, state: str) -> None:
    """The plain twin calls people by their ids."""
    sent = replace(message(huge(state)), blocks=(), calls=("alice", "bob"))
    where = Channel().post(service.tools(ids=LOOK.ids), ROOM, sent)
    Channel().update(service.tools(ids=LOOK.ids), where, sent)
    posted = service.room(ROOM).message(where.id)
    assert posted is not None
    assert posted.text.endswith("<@U0ALICE> <@U0BOB>")
