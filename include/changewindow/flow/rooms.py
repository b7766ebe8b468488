"""Which channels a room has, as messages.yaml says."""

from collections.abc import Mapping

from changewindow import settings
from changewindow.errors import UnknownConnection
from changewindow.flow.airflow_connection import connection
from changewindow.flow.runtime import log
from changewindow.notify import log as log_channel
from changewindow.notify import slack
from changewindow.notify.base import ChannelBase
from changewindow.policy.messages import FILE, Messages, load_messages


def messages_policy() -> Messages:
    """Return what messages.yaml says; the usual while it cannot be read, for no message waits for that."""
    loaded = load_messages(settings.read().policy)
    if loaded.model is None:
        log.warning(
            "%s cannot be read, so that messages go where they usually do. Correct it: %s",
            FILE,
            "; ".join(finding.text(FILE) for finding in loaded.findings),
        )
    return loaded.model or Messages()


def channels(room: str, policy: Messages) -> Mapping[str, ChannelBase]:
    """Return the channels of a room by name; without any, Slack when its connection exists, else the task log."""
    return named(policy.rules(room).to) or {"": _usual()}


def named(given: tuple[ChannelBase, ...]) -> dict[str, ChannelBase]:
    """Return channels by their kinds; the second one of a kind has a number."""
    names: dict[str, ChannelBase] = {}
    for channel in given:
        same = sum(name.partition(" ")[0] == channel.kind for name in names)
        names[f"{channel.kind} {same + 1}" if same else channel.kind] = channel
    return names


def _usual() -> ChannelBase:
    try:
        connection(settings.SLACK_CONNECTION)
    except UnknownConnection:
        return log_channel.Channel()
    return slack.Channel()
