"""Posts to Slack with the Web API's chat.postMessage: one thread per change.

Source: https://docs.slack.dev/reference/methods/chat.postMessage
"""

from dataclasses import dataclass

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from changewindow.documents.text import visible
from changewindow.notify.base import NotDelivered


@dataclass(frozen=True)
class Channel:
    """Slack, by a client that holds the token."""

    client: WebClient
    kind: str = "slack"

    def post(self, room: str, text: str, thread: str | None) -> str | None:
        """Post a text as it is; return the time stamp that names the thread."""
        post = self.client.chat_postMessage
        shown = _escaped(text)
        try:
            reply = post(
                channel=room, text=shown, thread_ts=thread, parse="none", unfurl_links=False, unfurl_media=False
            )
        except SlackApiError as error:
            raise NotDelivered(f"Slack answered: {error.response['error']}") from error
        except (SlackClientError, OSError) as error:
            raise NotDelivered(f"Slack did not answer: {error}") from error
        return thread or reply["ts"]


def _escaped(text: str) -> str:
    """Return a text that calls nobody, as `<!channel>` does, and hides no address, as `<https://…|text>` does.

    Source: https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
