"""Reads a click from what Slack sends when somebody presses a button.

Source: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

from datetime import UTC, datetime
from typing import Any, cast

from changewindow.changes.buttons import ACTIONS, PREFIX, Action
from changewindow.changes.click_acts import Click
from changewindow.notify.base import Reference


def click_of(payload: dict[str, Any]) -> Click | None:
    """Return the click that a payload tells of; nothing where it is no button of ours with which something is decided.

    Raises:
        ValueError: it is one, and is not as Slack writes it.
    """
    action: dict[str, Any] = next(iter(payload.get("actions") or ()), {})
    name = str(action.get("action_id") or "")
    if payload.get("type") != "block_actions" or name.removeprefix(PREFIX) not in ACTIONS or name in ACTIONS:
        return None
    try:
        user, place, at = payload["user"], payload["container"], str(action["action_ts"])
        return Click(
            user=str(user["id"]),
            workspace=str(user.get("team_id") or payload["team"]["id"]),
            action=cast("Action", name.removeprefix(PREFIX)),
            value=str(action.get("value") or ""),
            at=Reference(str(place["channel_id"]), str(place["message_ts"])),
            id=at,
            moment=datetime.fromtimestamp(float(at), UTC),
        )
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"Slack tells of a click without {error}") from error
