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


def messages_policy(last: Messages | None = None) -> Messages:
    """Return what messages.yaml says; while it cannot be read, what it said last, or else the usual: no message waits.

    Whoever has read it before goes on with that: a slip of the pen sends no message into another channel.
    """
    loaded = load_messages(settings.read().policy)
    if loaded.model is None:
        log.warning(
            "%s cannot be read, so that messages go where they %s. Correct it: %s",
            FILE,
            "usually do" if last is None else "went before",
            "; ".join(finding.text(FILE) for finding in loaded.findings),
        )
    return loaded.model or last or Messages()


def channels(room: str, policy: Messages) -> Mapping[str, ChannelBase]:
    """Return the channels of a room by name; without any, Slack when its connection exists, else the task log."""
    return named(policy.rules(room).to or (_usual(),))


def _usual() -> ChannelBase:
    try:
        connection(settings.SLACK_CONNECTION)
    except UnknownConnection:
        return log_channel.Channel()
    return slack.Channel()
