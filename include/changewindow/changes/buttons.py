"""The buttons below the message of a change: which there are in which state, and what each of them carries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from changewindow.changes.card import STATES, Card
from changewindow.policy.messages import Messages

Action = Literal["approve", "reject", "keep", "take_back", "abort"]
ACTIONS: tuple[str, ...] = get_args(Action)
PREFIX = "changewindow."
"""How the ids of our buttons begin."""
PLACE = "changewindow"
"""The id of the block in which they stand."""
OFFERED: Mapping[str, tuple[Action, ...]] = {
    "asked": ("approve", "reject"),
    "scheduled": ("abort",),
    "starting": ("abort",),
    "running": ("abort",),
    "watching": ("take_back",),
    "waiting": ("keep", "take_back"),
    "completed": ("take_back",),
}
"""What is offered in each state of a card; in all others, nothing is left to decide here."""


@dataclass(frozen=True)
class Look:
    """How a button reads, and what it means, as is asked once more."""

    label: str
    means: str
    style: Literal["primary", "danger"]


LOOKS: Mapping[str, Look] = {
    "approve": Look("Approve", "You approve {change} in your name, exactly as it is shown here.", "primary"),
    "reject": Look("Reject", "{change} ends, and will never run.", "danger"),
    "keep": Look("Keep it", "{change} stays applied, although its watch could not tell whether it is good.", "primary"),
    "take_back": Look("Roll back", "Every step of {change} that was applied is undone.", "danger"),
    "abort": Look("Abort", "Whatever {change} has applied is undone, and the rest never runs.", "danger"),
}


def label(action: str) -> str:
    """Return how a button reads, as people name it."""
    return LOOKS[action].label.lower() if action in LOOKS else action


@dataclass(frozen=True)
class Carried:
    """What a button carries: of which text of a change it was, in which state; who reads it asks the ledger besides."""

    change: str
    digest: str
    state: str

    @property
    def value(self) -> str:
        """Return it as the text that a button holds."""
        return f"{self.change} {self.digest} {self.state}"

    @classmethod
    def read(cls, value: str) -> "Carried | None":
        """Return what a button holds; nothing where it is none of ours."""
        parts = value.split(" ")
        if len(parts) != 3 or parts[2] not in STATES:
            return None
        return cls(*parts)


def buttons(card: Card, rules: Messages, room: str) -> list[dict[str, Any]]:
    """Return the block of buttons for the message of a change in a room, or none where nothing is to be decided."""
    offered = OFFERED.get(card.state, ())
    if not offered or not rules.rules(room).buttons:
        return []
    carried = Carried(card.change, card.digest, card.state)
    may_approve = rules.may_approve(card.risk)
    elements = [_button(action, carried) for action in offered if action != "approve" or may_approve]
    if not may_approve and "approve" in offered and (page := card.links.get("actions")):
        elements.insert(0, _link(page))
    return [{"type": "actions", "block_id": PLACE, "elements": elements}]


def _button(action: Action, carried: Carried) -> dict[str, Any]:
    look = LOOKS[action]
    return {
        "type": "button",
        "action_id": f"{PREFIX}{action}",
        "text": _plain(look.label),
        "value": carried.value,
        "style": look.style,
        "confirm": {
            "title": _plain(f"{look.label}?"),
            "text": _plain(look.means.format(change=carried.change)),
            "confirm": _plain(look.label),
            "deny": _plain("Cancel"),
            "style": look.style,
        },
    }


def _link(page: str) -> dict[str, Any]:
    """Return what leads to the page where it is decided."""
    return {
        "type": "button",
        "action_id": f"{PREFIX}open",
        "text": _plain("Decide in Airflow"),
        "url": page,
    }


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}
