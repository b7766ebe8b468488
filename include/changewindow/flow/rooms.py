"""Which channels a room has, as messages.yaml says."""

from collections.abc import Mapping

from changewindow import settings
from changewindow.errors import UnknownConnection
from changewindow.flow.airflow_connection import connection
from changewindow.flow.runtime import log
from changewindow.notify import log as log_channel
from changewindow.notify import slack
from changewindow.notify.base import ChannelBase
from changewindow.policy.messages import FILE, Messages, load_messages, named


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
    return named(policy.rules(room).to or (_usual(),))


def _usual() -> ChannelBase:
    try:
        connection(settings.SLACK_CONNECTION)
    except UnknownConnection:
        return log_channel.Channel()
    return slack.Channel()
