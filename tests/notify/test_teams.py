"""The channel teams: the documented shape, in which text is no Markdown, and not more than Teams takes."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from changewindow.errors import ChangeError
from changewindow.notify.base import Message, NotDelivered, WayOn
from changewindow.notify.teams import CUT, LARGEST, Channel
from servers.channel_services import Service, teams_service
from support.recording_server import Reply

CHANNEL = Channel(connection="teams")


def card(service: Service) -> dict[str, Any]:
    """Return the card of the only message."""
    assert service.server
    (request,) = service.server.requests
    assert len(request.body.encode()) <= LARGEST
    body = json.loads(request.body)
    assert body.keys() == {"type", "attachments"}
    (attachment,) = body["attachments"]
    content: dict[str, Any] = attachment["content"]
    return content


def message(text: str) -> Message:
    """Return a message of now."""
    return Message(text, datetime.now(UTC), "CHG-1")


def test_addresses_lead_to_where_they_say(caplog: pytest.LogCaptureFixture) -> None:
    """Everything else is text, however it looks."""
    with teams_service(caplog) as service:
        CHANNEL.post(service.tools(), "#deploys", message("**done** [ours](https://evil.example)\nsee https://a.b/c."))
        content = card(service)
    assert (content["type"], content["version"]) == ("AdaptiveCard", "1.2")
    assert [run["text"] for run in content["body"][0]["inlines"]] == ["**done** [ours](", "https://evil.example", ")"]
    see = content["body"][1]["inlines"]
    assert see[1]["selectAction"] == {"type": "Action.OpenUrl", "url": "https://a.b/c"}
    assert [run["text"] for run in see] == ["see ", "https://a.b/c", "."]


def test_what_is_too_long_is_cut_off_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """The first lines stay."""
    with teams_service(caplog) as service:
        CHANNEL.post(service.tools(), "#deploys", message("\n".join(f"line {number} ü" for number in range(5000))))
        lines = ["".join(run["text"] for run in block["inlines"]) for block in card(service)["body"]]
    assert (lines[0], lines[-1]) == ("line 0 ü", CUT)
    assert lines.count(CUT) == 1
    assert len(lines) > 50


@pytest.mark.parametrize(
    "password",
    ["http://example.org/hook", "example.org/hook", "https://", "https://a b/hook", "https://ä.org/", "https://a:x/"],
)
def test_what_is_no_address_is_refused_and_not_shown(password: str, caplog: pytest.LogCaptureFixture) -> None:
    """A secret address goes out encrypted or not at all."""
    with teams_service(caplog) as service:
        with pytest.raises(ChangeError, match=r"'teams' has no address of a webhook .*begins with https://") as failed:
            CHANNEL.post(service.tools(password=password), "#deploys", message("text"))
        assert "hook" not in str(failed.value).replace("webhook", "")


def test_a_webhook_of_before_says_no_with_200(caplog: pytest.LogCaptureFixture) -> None:
    """It is tried again."""
    with teams_service(caplog) as service:
        assert service.server
        service.server.otherwise = Reply(200, "Webhook message delivery failed with error: HTTP error 429")
        with pytest.raises(NotDelivered, match="could not deliver it to Teams") as failed:
            CHANNEL.post(service.tools(), "#deploys", message("text"))
    assert failed.value.way_on is WayOn.LATER
