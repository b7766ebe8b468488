"""The buttons below the message of a change."""

from dataclasses import replace
from typing import Any

import pytest

from changewindow.changes.buttons import LOOKS, OFFERED, Carried, buttons
from changewindow.changes.card import STATES, Card
from changewindow.changes.card_of import card_of
from changewindow.changes.delivery import digest_of
from changewindow.ledger.database import Ledger
from changewindow.notify.base import Message
from changewindow.policy.messages import Messages
from servers.slack_limits import of_message
from support.slack_world import MESSAGES, POLICY, ROOM, SlackWorld

RULES = Messages.model_validate(MESSAGES)
ACTIONS = "https://airflow.example.com/required_actions"


@pytest.fixture
def card(ledger: Ledger) -> Card:
    """Return the card of a change whose approvers are asked."""
    world = SlackWorld.asked(ledger)
    return card_of(ledger, world.change, POLICY, world.now, links={"actions": ACTIONS})


def labels(blocks: list[dict[str, Any]]) -> list[str]:
    """Return how the buttons read."""
    return [element["text"]["text"] for block in blocks for element in block["elements"]]


@pytest.mark.parametrize("state", STATES)
def test_each_state_offers_what_can_be_decided_then(card: Card, state: Any) -> None:
    """Within the limits of Slack; where nothing is to be decided there is no empty block."""
    made = buttons(replace(card, state=state), RULES, ROOM)
    assert labels(made) == [LOOKS[action].label for action in OFFERED.get(state, ())]
    assert of_message({"text": "x", "blocks": made}, 40_000) == ("", []) if made else state not in OFFERED
    for block in made:
        for element in block["elements"]:
            assert Carried.read(element["value"]) == Carried(card.change, card.digest, state)
            assert card.change in element["confirm"]["text"]["text"]


def test_what_is_too_risky_leads_to_airflow(card: Card) -> None:
    """There it can be approved; to reject it is safe."""
    made = buttons(replace(card, risk="high"), RULES, ROOM)
    assert labels(made) == ["Decide in Airflow", "Reject"]
    assert made[0]["elements"][0]["url"] == ACTIONS
    assert labels(buttons(replace(card, risk="high", links={}), RULES, ROOM)) == ["Reject"]
    assert labels(buttons(replace(card, risk="of a later version"), RULES, ROOM)) == ["Decide in Airflow", "Reject"]
    wider = Messages.model_validate({**MESSAGES, "approve_up_to": "high"})
    assert labels(buttons(replace(card, risk="high"), wider, ROOM)) == ["Approve", "Reject"]


def test_a_room_may_have_none(card: Card) -> None:
    """As messages.yaml says."""
    without = Messages.model_validate({**MESSAGES, "rooms": {ROOM: {"buttons": False}}})
    assert buttons(card, without, ROOM) == []
    assert buttons(card, without, "#other")


def test_a_new_text_that_reads_the_same_renews_the_buttons_and_nothing_else_does(card: Card) -> None:
    """Else nobody could approve it there: what the buttons carry would be the text before."""

    def shown(**changed: Any) -> str:
        made = buttons(replace(card, **changed), RULES, ROOM)
        return digest_of(Message("a change", card.since, blocks=tuple(made)))

    assert shown(digest="d" * 64) != shown()
    assert shown(sequence=card.sequence + 1) == shown()
