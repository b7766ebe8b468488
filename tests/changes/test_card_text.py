"""What the message of a change reads in each of its states, and what tickets cannot do to it."""

import pytest

from changewindow.changes.card import STATES
from changewindow.changes.card_text import OURS, Look, rendered
from changewindow.changes.sample_cards import sample

LOOK = Look("Europe/Berlin", (), {"alice": "U0ALICE", "bob": "U0BOB"})


@pytest.mark.parametrize("state", STATES)
def test_each_state_has_its_message(state: str) -> None:
    """As text and as blocks, from files of its own."""
    message = rendered(sample(state), LOOK)
    assert "CHG-1042" in message.head
    assert message.blocks[0]["type"] == "header"
    assert {(OURS / f"{state}.{form}.j2").is_file() for form in ("txt", "json")} == {True}
