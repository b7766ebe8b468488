"""The command about messages: sends one into every channel of a room, and says what became of each."""

import argparse
import os
import platform
import pwd
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from changewindow import settings
from changewindow.cli.airflow_connections import known_here
from changewindow.cli.embedded import announce_policy
from changewindow.cli.output import print_json
from changewindow.cli.policy import print_findings
from changewindow.documents.types import ROOM
from changewindow.errors import ChangeError, OperatorError
from changewindow.notify import log, slack
from changewindow.notify.base import ChannelBase, Message, NotDelivered, Tools, WayOn
from changewindow.policy.messages import FILE, Messages, load_messages, named

WAYS_ON = {
    WayOn.LATER: "it would be tried again",
    WayOn.PLAIN: "its text alone would be sent",
    WayOn.ELSEWHERE: "it would go to the room that stands in for this one, if messages.yaml names one",
    WayOn.BY_HAND: "nothing is sent there before that is mended",
}
"""What would become of the message of a change."""


@dataclass(frozen=True)
class Tried:
    """What became of a message in one channel."""

    channel: str
    place: str
    is_sent: bool
    reference: str = ""
    reason: str = ""
    way_on: str = ""
    took: float = 0
    """Seconds."""

    def __str__(self) -> str:
        """Return it on one line."""
        if self.place == "log":
            return f"{self.channel}: messages stand in the log of the task that has them"
        if self.is_sent:
            return f"{self.channel}: sent in {self.took:.1f} s ({self.place})"
        return f"{self.channel}: not sent ({self.place}). {self.reason}"


def run(arguments: argparse.Namespace) -> int:
    """Send a test message; JSON has the shape `output.MESSAGED`.

    Raises:
        OperatorError: messages.yaml cannot be read.
    """
    room = arguments.room
    if not re.fullmatch(ROOM, room):
        arguments.misuse(f"'{room}' is no room. Write it as tickets do, like '#deploys'; a shell wants the quotes.")
    folder = announce_policy(arguments)
    loaded = load_messages(folder)
    if loaded.model is None:
        print_findings((folder / FILE, finding) for finding in loaded.findings)
        raise OperatorError(f"{FILE} cannot be read, so nothing was sent. Correct it.")
    policy = loaded.model
    tried = [_tried(name, channel, room, policy) for name, channel in _channels(room, policy).items()]
    if arguments.json:
        print_json({"room": room, "channels": [asdict(each) for each in tried]})
    else:
        print(*tried, sep="\n")
    return 0 if all(each.is_sent for each in tried) else 1


def _channels(room: str, policy: Messages) -> Mapping[str, ChannelBase]:
    """Return the channels of a room as its messages find them."""
    if given := named(policy.rules(room).to):
        return given
    try:
        known_here(settings.SLACK_CONNECTION)
    except ChangeError:
        return {"log": log.Channel()}
    return {"slack": slack.Channel()}


def _tried(name: str, channel: ChannelBase, room: str, policy: Messages) -> Tried:
    """Send the message to one channel."""
    begun, place = monotonic(), channel.place(room)
    tools = Tools(known_here, ids=policy.ids(channel.kind))
    try:
        if name_of_connection := getattr(channel, "connection", ""):
            tools.known(name_of_connection)
            begun = monotonic()  # that Airflow had to start for it is no delay of the channel
        reference = channel.post(tools, room, _message(room))
    except NotDelivered as error:
        more = f" The message of a change: {WAYS_ON[error.way_on]}." if error.way_on in WAYS_ON else ""
        return Tried(name, place, is_sent=False, reason=f"{error}{more}", way_on=error.way_on.value, took=_since(begun))
    except ChangeError as error:
        return Tried(name, place, is_sent=False, reason=str(error), way_on=WayOn.BY_HAND.value, took=_since(begun))
    return Tried(name, place, is_sent=True, reference=reference.id, took=_since(begun))


def _since(begun: float) -> float:
    return round(monotonic() - begun, 3)


def _message(room: str) -> Message:
    now, account = datetime.now(UTC), pwd.getpwuid(os.geteuid()).pw_name
    text = (
        f"TEST: messages of Change Windows for {room} arrive here\n"
        f"Sent by {account} on {platform.node()} at {now:%Y-%m-%d %H:%M:%S} UTC. No change is under way; "
        "nobody has to do anything."
    )
    facts: dict[str, Any] = {"change": "", "state": "test", "summary": "A test of this channel."}
    return Message(text, now, f"test {now.isoformat()}", facts=facts)
