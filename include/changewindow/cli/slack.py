"""The service that takes clicks in Slack: it acknowledges each at once, then decides, then says what became of it.

It opens a WebSocket to Slack (Socket Mode), so that Slack needs no way in. Of several, Slack asks one.
"""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.socket_mode.builtin import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.webhook import WebhookClient

from changewindow.changes.click_acts import JudgedBy
from changewindow.changes.slack_clicks import Decision, decide
from changewindow.changes.slack_payload import click_of
from changewindow.cli.embedded import policy_folder
from changewindow.cli.foreign_connections import known
from changewindow.cli.ledger_address import found
from changewindow.documents.text import visible
from changewindow.errors import PlatformError
from changewindow.ledger.database import Ledger
from changewindow.policy.load import load_policy
from changewindow.policy.messages import FILE, load_messages
from changewindow.systems.connection import Connection

T = TypeVar("T")
WITHIN = 5
"""Seconds that Slack may take for one answer."""
LONGEST_PAUSE = 30.0
"""Seconds between two attempts to connect, at most."""
AT_ONCE = 8
"""How many clicks are decided at the same time."""
PING = 2.0
"""Seconds between two pings; a connection of which nothing is heard for four of them is made anew."""
EVERY = 1.0
"""Seconds between two looks at the connection."""
FINAL = {
    *("invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "missing_scope"),
    *("not_allowed_token_type", "no_permission", "forbidden_team", "team_access_not_granted"),
}
"""What Slack says of tokens with which it makes no sense to go on."""
FAILED = (
    "Your click does not count: it could not be decided; the log of `changewindow slack` says why. Decide in Airflow."
)
SILENT = logging.getLogger("changewindow.slack.socket")
"""Takes what Slack's client says of its connection, which this service says itself."""
SILENT.setLevel(logging.CRITICAL)


def run(arguments: argparse.Namespace) -> int:
    """Take clicks until somebody ends it; return 0."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    connection = known(arguments.connection)
    if not connection.extra.get("app_token"):
        raise PlatformError(
            f"The connection '{connection.name}' has no `app_token` in its extra. Make one in Slack (Basic "
            "Information, App-Level Tokens, scope connections:write), and write it there."
        )
    Service(connection, _ledger(arguments), arguments, stopped).serve()
    return 0


def _ledger(arguments: argparse.Namespace) -> Ledger:
    """Return the ledger, also while it is down: then no click counts."""
    there = found(arguments)
    if there.named is None:
        arguments.misuse(
            "no ledger is named. Give --ledger URL, or set AIRFLOW_CONN_CHANGEWINDOW_LEDGER as for Airflow."
        )
        raise AssertionError
    if there.why:
        say(f"the ledger does not answer, so no click counts until it does: {there.why}")
    return there.named


def say(sentence: str) -> None:
    """Tell whoever reads the log."""
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC {sentence}", file=sys.stderr, flush=True)


@dataclass
class Service:
    """One connection to Slack, and what a click is judged by."""

    connection: Connection
    ledger: Ledger
    arguments: argparse.Namespace
    stopped: threading.Event
    deciding: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(AT_ONCE, "decides"))

    def serve(self) -> None:
        """Take clicks until it is stopped.

        Raises:
            PlatformError: Slack does not take our tokens.
        """
        web = self._web(self.connection.password)
        workspace = self._insist(lambda: str(web.auth_test()["team_id"]), "the bot token in the password")
        if workspace is None:
            return
        folder = policy_folder(self.arguments)
        by = JudgedBy(self.ledger, lambda: load_policy(folder), lambda: load_messages(folder), workspace)
        if not (messages := by.messages().model) or not messages.people:
            say(f"{FILE} in {folder} names nobody, so no click counts. Write the Slack ids below `people`.")
        client = SocketModeClient(
            str(self.connection.extra["app_token"]),
            logger=SILENT,
            web_client=self._web(None),
            ping_interval=PING,
            proxy=self.connection.extra.get("proxy"),
        )
        client.socket_mode_request_listeners.append(lambda client, request: self.take(client, request, by))
        try:
            self._insist(lambda: client.connect_to_new_endpoint(force=True), "the app token in the extra")
            self._watch(client)
        finally:
            client.close()
            self.deciding.shutdown()
            say("stopped; clicks are no longer taken")

    def take(self, client: BaseSocketModeClient, request: SocketModeRequest, by: JudgedBy) -> None:
        """Acknowledge what Slack sends, at once; what is to be decided is decided beside it."""
        try:
            client.send_socket_mode_response(SocketModeResponse(request.envelope_id))
        except (SlackClientError, OSError) as error:
            say(f"a click could not be acknowledged, so Slack sends it again; it counts once: {error}")
        if request.type == "interactive":
            self.deciding.submit(self._decide, request.payload, by)

    def _decide(self, payload: dict[str, Any], by: JudgedBy) -> None:
        try:
            click = click_of(payload)
            if click is None:
                return
            decision = decide(by, click, datetime.now(UTC))
        except Exception as error:  # noqa: BLE001  whatever it is, whoever clicked reads that it does not count
            say(f"a click could not be decided: {type(error).__name__}: {error}")
            decision = Decision(counts=False, sentence=FAILED)
        say(f"{decision.person or (payload.get('user') or {}).get('id')}: {decision.sentence}")
        self._answer(str(payload.get("response_url") or ""), decision.sentence)

    def _answer(self, address: str, sentence: str) -> None:
        """Tell whoever clicked what became of it; the message itself is brought up to date by what was recorded."""
        try:
            answer = WebhookClient(address, timeout=WITHIN, logger=SILENT).send(
                text=_escaped(sentence), response_type="ephemeral", replace_original=False
            )
            if answer.status_code != 200:
                say(f"whoever clicked could not be answered: Slack answered {answer.status_code}")
        except (SlackClientError, OSError, ValueError) as error:
            say(f"whoever clicked could not be answered: {error}")

    def _web(self, token: str | None) -> WebClient:
        extra = self.connection.extra
        address = str(extra.get("base_url") or WebClient.BASE_URL)
        return WebClient(token, base_url=address, proxy=extra.get("proxy"), timeout=WITHIN, logger=SILENT)

    def _insist(self, ask: Callable[[], T], token: str) -> T | None:
        """Return what Slack answers, however often it has to be asked; nothing once the service is stopped.

        Raises:
            PlatformError: it does not take a token.
        """
        pause, before = 1.0, ""
        while not self.stopped.is_set():
            try:
                return ask()
            except SlackApiError as error:
                reason = str(error.response.get("error"))
                if reason in FINAL:
                    what = f"Slack answered: {reason}. It does not take {token} of '{self.connection.name}'."
                    raise PlatformError(
                        f"{what} Put a valid one there, with the scopes that README.md names."
                    ) from error
            except (SlackClientError, OSError, ValueError) as error:
                reason = str(error) or type(error).__name__
            if reason != before:
                say(f"Slack cannot be reached, and is asked again: {reason}")
            before = reason
            self.stopped.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        return None

    def _watch(self, client: SocketModeClient) -> None:
        """Say when the connection is lost, and when it is there again, until the service is stopped."""
        was_connected = False
        while not self.stopped.is_set():
            is_connected = client.is_connected()
            if is_connected != was_connected:
                say("connected to Slack; clicks are taken" if is_connected else "the connection to Slack is lost")
            was_connected = is_connected
            self.stopped.wait(EVERY)


def _escaped(text: str) -> str:
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
