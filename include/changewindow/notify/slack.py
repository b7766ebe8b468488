"""Posts to Slack with the Web API's chat.postMessage: one thread per change.

Source: https://docs.slack.dev/reference/methods/chat.postMessage
"""

from dataclasses import dataclass

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from changewindow.notify.base import NotDelivered


@dataclass(frozen=True)
class Channel:
    """Slack, by a client that holds the token."""

    client: WebClient

    def post(self, room: str, text: str, thread: str | None) -> str | None:
        """Post a text; return the time stamp that names the thread."""
        try:
            reply = self.client.chat_postMessage(channel=room, text=text, thread_ts=thread, unfurl_links=False)
        except SlackApiError as error:
            raise NotDelivered(f"Slack answered: {error.response['error']}") from error
        except (SlackClientError, OSError) as error:
            raise NotDelivered(f"Slack did not answer: {error}") from error
        return thread or reply["ts"]
